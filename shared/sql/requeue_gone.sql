-- Give a job back whose message QStash no longer holds, unless something has happened to it since that was asked.
UPDATE job_executions
SET publication = publication + 1,
    published_at = NULL,
    qstash_message_id = NULL,
    publish_after = clock_timestamp(),
    undelivered = undelivered + 1,
    error = %(message)s,
    errors = errors || jsonb_build_object(
        'run', run, 'attempt', attempt, 'at', clock_timestamp(), 'type', 'DeliveryLost', 'message', %(message)s::text),
    updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND publication = %(publication)s AND status IN ('pending', 'retrying')
    AND published_at IS NOT NULL AND qstash_message_id IS NOT DISTINCT FROM %(message_id)s
RETURNING job_id, job_type, status, organization_id, attempt, error
