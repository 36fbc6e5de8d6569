-- Where QStash keeps the message of a job that has failed.
UPDATE job_executions
SET dlq_id = %(dlq_id)s, updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND publication = %(publication)s AND status = 'failed'
