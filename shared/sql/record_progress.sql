-- How far the running attempt has come. No row: it is stale or the job was cancelled.
UPDATE job_executions
SET progress = %(progress)s, updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND attempt = %(attempt)s AND status = 'processing'
RETURNING job_id
