-- The attempt succeeded. No row: it is stale.
UPDATE job_executions
SET status = 'completed',
    result = %(result)s::jsonb,
    result_key = %(result_key)s,
    error = NULL,
    lease_expires_at = NULL,
    completed_at = clock_timestamp(),
    updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND attempt = %(attempt)s AND status = 'processing'
RETURNING status, extract(epoch FROM completed_at - started_at)::double precision AS duration
