-- The row of a scheduled delivery, made by the first of its deliveries to arrive. Its message is its publication 0.
INSERT INTO job_executions (
    job_id, job_type, payload, user_id, organization_id, max_attempts, publish_options, failure_callback, schedule_id,
    publication, published_at, qstash_message_id, deliver_by)
VALUES (
    %(job_id)s, %(job_type)s, %(payload)s, %(user_id)s, %(organization_id)s, %(max_attempts)s, %(publish_options)s,
    %(failure_callback)s, %(schedule_id)s, 0, clock_timestamp(), %(message_id)s,
    clock_timestamp() + interval '15 minutes')
ON CONFLICT (job_id) DO NOTHING
