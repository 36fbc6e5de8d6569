-- The jobs accepted since a test began, or one of them, in the order in which they were accepted.
SELECT id, job_id, job_type, status, payload::text AS payload, payload_key, result::text AS result, result_key, error,
    errors, progress, user_id, organization_id, idempotency_key, schedule_id, batch_id, run, attempt, max_attempts,
    publication, publish_options, failure_callback, not_before, created_at,
    -- The clock is read twice between the two: a microsecond apart.
    CASE WHEN status = 'retrying'
        THEN round(extract(epoch FROM deliver_by - updated_at)::numeric - 900, 2)::double precision END AS retry_after
FROM job_executions
WHERE id > greatest(%(since)s, %(after)s) AND (%(job_id)s::uuid IS NULL OR job_id = %(job_id)s)
ORDER BY id
