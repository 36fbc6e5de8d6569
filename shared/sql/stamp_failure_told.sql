-- The caller's failure callback is at QStash.
UPDATE job_executions
SET failure_called_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND run = %(run)s AND failure_called_at IS NULL
