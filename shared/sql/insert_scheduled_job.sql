-- The row of a scheduled delivery, made by the first of its deliveries to arrive. Its message is its publication 0. It
-- is given a copy of the payload that its message names; without that payload there is no row.
INSERT INTO job_executions (
    job_id, job_type, payload, payload_key, by_reference, user_id, organization_id, max_attempts, publish_options,
    failure_callback, schedule_id, publication, published_at, qstash_message_id, deliver_by)
SELECT
    %(job_id)s, %(job_type)s, coalesce(kept.payload, %(payload)s), coalesce(kept.payload_key, %(payload_key)s),
    kept.id IS NOT NULL OR %(by_reference)s, %(user_id)s, %(organization_id)s, %(max_attempts)s, %(publish_options)s,
    %(failure_callback)s, %(schedule_id)s, 0, clock_timestamp(), %(message_id)s,
    clock_timestamp() + interval '15 minutes'
FROM (VALUES (%(payload_id)s::uuid)) AS named(id) LEFT JOIN schedule_payloads AS kept USING (id)
WHERE named.id IS NULL OR kept.id IS NOT NULL
ON CONFLICT (job_id) DO NOTHING
