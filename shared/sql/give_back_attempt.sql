-- A key that an operator can put back was missing: the attempt costs the job nothing, and the same words are recorded
-- once, however often it is tried. No row: it is stale.
UPDATE job_executions
SET status = 'retrying',
    max_attempts = max_attempts + 1,
    error = %(message)s,
    errors = CASE WHEN errors -> -1 ->> 'message' = %(message)s::text THEN errors ELSE errors || jsonb_build_object(
        'run', run, 'attempt', attempt, 'at', clock_timestamp(), 'type', 'SecretUnavailable', 'message', %(message)s::text)
        END,
    lease_expires_at = NULL,
    deliver_by = clock_timestamp() + interval '15 minutes' + make_interval(secs => %(retry_after)s),
    updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND attempt = %(attempt)s AND status = 'processing'
RETURNING status, extract(epoch FROM clock_timestamp() - started_at)::double precision AS duration
