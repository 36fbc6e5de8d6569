-- QStash refused the message for good. Only a job that can't have run: an earlier try may have got through.
UPDATE job_executions
SET status = 'failed',
    error = %(message)s,
    errors = errors || jsonb_build_object(
        'run', run, 'attempt', attempt, 'at', clock_timestamp(), 'type', 'PublishRejected', 'message', %(message)s::text),
    completed_at = clock_timestamp(),
    updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND publication = %(publication)s
    AND status = 'pending' AND attempt = 0 AND published_at IS NULL
