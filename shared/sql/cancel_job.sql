-- End a job that has not ended, also one that runs: its attempt is fenced out, and its result is not recorded.
UPDATE job_executions
SET status = 'cancelled',
    error = %(message)s,
    lease_expires_at = NULL,
    completed_at = clock_timestamp(),
    updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND status IN ('pending', 'retrying', 'processing')
RETURNING job_id, publication, qstash_message_id, batch_id
