-- Accept jobs, one or many. A job comes back unless its idempotency key is taken, or an earlier try had got through.
INSERT INTO job_executions (
    job_id, job_type, payload, user_id, organization_id, idempotency_key, max_attempts, publish_options,
    failure_callback, batch_id, payload_key, by_reference, parent_job_id, not_before, publish_after)
SELECT
    job.job_id, job.job_type, job.payload, job.user_id, job.organization_id, job.idempotency_key, job.max_attempts,
    job.publish_options, job.failure_callback, job.batch_id, job.payload_key, job.by_reference, job.parent_job_id, due.at,
    -- The caller publishes it itself; reconcile steps in where that did not happen, or comes to lie within QStash's reach.
    greatest(clock_timestamp() + interval '15 seconds', due.at - make_interval(secs => %(max_delay)s))
FROM jsonb_to_recordset(%(jobs)s) AS job(
    job_id uuid, job_type text, payload jsonb, user_id bigint, organization_id bigint, idempotency_key text,
    max_attempts integer, publish_options jsonb, failure_callback text, batch_id uuid, payload_key text,
    by_reference boolean, parent_job_id uuid, not_before timestamptz, delay double precision),
LATERAL (SELECT coalesce(job.not_before, clock_timestamp() + make_interval(secs => job.delay)) AS at) AS due
ON CONFLICT DO NOTHING
RETURNING {unpublished},
    not_before IS NULL OR not_before <= clock_timestamp() + make_interval(secs => %(max_delay)s) AS within_reach,
    pg_current_xact_id()::text AS transaction
