-- Take the job for one attempt, or end it where its attempts are used up. No row: it is not this delivery's to run.
-- Guards: the row's current publication only; waiting, or held under a lease that has expired.
UPDATE job_executions
SET status = CASE WHEN attempt < max_attempts THEN 'processing' ELSE 'failed' END,
    attempt = least(attempt + 1, max_attempts),
    lease_expires_at = CASE WHEN attempt < max_attempts
        THEN clock_timestamp() + make_interval(secs => %(lease)s) END,
    started_at = CASE WHEN attempt < max_attempts THEN clock_timestamp() ELSE started_at END,
    completed_at = CASE WHEN attempt >= max_attempts THEN clock_timestamp() END,
    error = CASE
        WHEN status = 'processing' THEN %(lost)s
        WHEN attempt >= max_attempts THEN coalesce(error, 'attempts used up')
        ELSE error END,
    errors = CASE WHEN status = 'processing' THEN errors || jsonb_build_object(
        'run', run, 'attempt', attempt, 'at', clock_timestamp(), 'type', 'AttemptLost', 'message', %(lost)s::text)
        ELSE errors END,
    published_at = coalesce(published_at, clock_timestamp()),  -- a delivery proves a publication
    qstash_message_id = coalesce(%(message_id)s, qstash_message_id),
    undelivered = 0,
    claimed_by = %(delivery)s,
    deliver_by = clock_timestamp() + make_interval(secs => %(lease)s) + interval '15 minutes',
    updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND publication = %(publication)s
    AND (status IN ('pending', 'retrying') OR (status = 'processing' AND lease_expires_at < clock_timestamp()))
RETURNING {claimed}
