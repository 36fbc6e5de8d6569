-- QStash has given a message up. Only the row's current publication counts, and never a running job: its own end, or
-- its lease's, decides. Attempts left mean that deliveries did not get through: give the job back, later each time;
-- the fifth publication in which no attempt began ends it.
UPDATE job_executions
SET status = CASE
        WHEN attempt >= max_attempts OR undelivered >= 5 THEN 'failed'
        WHEN attempt > 0 THEN 'retrying'
        ELSE 'pending' END,
    error = %(message)s,
    errors = errors || jsonb_build_object(
        'run', run, 'attempt', attempt, 'at', clock_timestamp(), 'type', 'DeliveryFailed', 'message', %(message)s::text),
    completed_at = CASE WHEN attempt >= max_attempts OR undelivered >= 5 THEN clock_timestamp() END,
    publication = publication + CASE WHEN attempt >= max_attempts OR undelivered >= 5 THEN 0 ELSE 1 END,
    published_at = CASE WHEN attempt >= max_attempts OR undelivered >= 5 THEN published_at END,
    qstash_message_id = CASE WHEN attempt >= max_attempts OR undelivered >= 5 THEN qstash_message_id END,
    endpoint = CASE WHEN attempt >= max_attempts OR undelivered >= 5 THEN endpoint END,
    dlq_id = %(dlq_id)s,
    publish_after = CASE WHEN attempt >= max_attempts OR undelivered >= 5 THEN clock_timestamp()
        ELSE clock_timestamp()
            + (ARRAY['1 minute', '1 minute', '5 minutes', '30 minutes', '2 hours'])[undelivered + 1]::interval END,
    undelivered = undelivered + CASE WHEN attempt >= max_attempts OR undelivered >= 5 THEN 0 ELSE 1 END,
    updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND publication = %(publication)s AND status IN ('pending', 'retrying')
RETURNING job_id, job_type, status, organization_id, attempt, error
