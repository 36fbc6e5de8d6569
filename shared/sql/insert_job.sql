-- Accept a job. No row comes back where its idempotency key is taken, or an earlier try had got through.
INSERT INTO job_executions (
    job_id, job_type, payload, user_id, organization_id, idempotency_key, max_attempts, publish_options,
    failure_callback, not_before, publish_after)
SELECT
    %(job_id)s, %(job_type)s, %(payload)s, %(user_id)s, %(organization_id)s, %(idempotency_key)s, %(max_attempts)s,
    %(publish_options)s, %(failure_callback)s, due.at,
    -- The caller publishes it itself; reconcile steps in where that did not happen, or comes to lie within QStash's reach.
    greatest(clock_timestamp() + interval '15 seconds', due.at - make_interval(secs => %(max_delay)s))
FROM (SELECT coalesce(
    %(not_before)s::timestamptz, clock_timestamp() + make_interval(secs => %(delay)s::double precision)) AS at) AS due
ON CONFLICT DO NOTHING
RETURNING {unpublished},
    not_before IS NULL OR not_before <= clock_timestamp() + make_interval(secs => %(max_delay)s) AS within_reach,
    pg_current_xact_id()::text AS transaction
