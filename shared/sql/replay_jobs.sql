-- Start a new run of dead letters (and, by id, of cancelled jobs): the attempts count on, the old errors stay. One
-- statement, which re-checks that the job has ended; the payload may be corrected. Unpublished, like an accepted job.
WITH ended AS (
    SELECT job_id FROM job_executions
    WHERE (status = 'failed' OR (status = 'cancelled' AND %(job_ids)s::uuid[] IS NOT NULL))
        AND (%(job_ids)s::uuid[] IS NULL OR job_id = ANY(%(job_ids)s))
        AND (%(job_type)s::text IS NULL OR job_type = %(job_type)s)
        AND (%(failed_after)s::timestamptz IS NULL OR completed_at >= %(failed_after)s)
        AND (%(failed_before)s::timestamptz IS NULL OR completed_at < %(failed_before)s)
        AND (%(error)s::text IS NULL OR strpos(lower(error), lower(%(error)s)) > 0)
    ORDER BY job_id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE job_executions
SET status = 'pending',
    payload = coalesce(%(payload)s, payload),
    payload_key = CASE WHEN %(payload)s::jsonb IS NULL THEN payload_key ELSE %(payload_key)s END,
    by_reference = coalesce(%(by_reference)s, by_reference),
    run = run + 1,
    max_attempts = attempt + coalesce((publish_options ->> 'attempts')::integer, max_attempts),
    publication = publication + 1,
    published_at = NULL,
    qstash_message_id = NULL,
    endpoint = NULL,
    publish_after = clock_timestamp() + interval '15 seconds',
    not_before = NULL,
    undelivered = 1,
    deliver_by = NULL,
    dlq_id = NULL,
    failure_called_at = NULL,
    error = NULL,
    result = NULL,
    result_key = NULL,
    progress = NULL,
    started_at = NULL,
    completed_at = NULL,
    updated_at = clock_timestamp()
FROM ended
WHERE job_executions.job_id = ended.job_id AND status IN ('failed', 'cancelled')
RETURNING {unpublished}
