-- The attempt failed: try again, or end it where the error is permanent or attempts are used up. No row: it is stale.
UPDATE job_executions
SET status = CASE WHEN %(permanent)s OR attempt >= max_attempts THEN 'failed' ELSE 'retrying' END,
    error = %(message)s,
    errors = errors || jsonb_build_object(
        'run', run, 'attempt', attempt, 'at', clock_timestamp(),
        'type', %(type)s::text, 'message', %(message)s::text, 'traceback', %(traceback)s::text),
    lease_expires_at = NULL,
    completed_at = CASE WHEN %(permanent)s OR attempt >= max_attempts THEN clock_timestamp() END,
    deliver_by = clock_timestamp() + interval '15 minutes' + make_interval(
        secs => coalesce(%(retry_after)s::double precision, least(86400, exp(2.5 * attempt)))),
    updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND attempt = %(attempt)s AND status = 'processing'
RETURNING status, extract(epoch FROM clock_timestamp() - started_at)::double precision AS duration
