-- Attempts that ended without a word (a crash, a kill): give their jobs back under a new publication, since QStash
-- swallows a repeated deduplication id for ten minutes, or end them where no attempt is left.
WITH expired AS (
    SELECT job_id, attempt >= max_attempts AS final FROM job_executions
    WHERE status = 'processing' AND lease_expires_at < statement_timestamp()
    ORDER BY lease_expires_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE job_executions
SET status = CASE WHEN expired.final THEN 'failed' ELSE 'retrying' END,
    error = %(lost)s,
    errors = errors || jsonb_build_object(
        'run', run, 'attempt', attempt, 'at', clock_timestamp(), 'type', 'AttemptLost', 'message', %(lost)s::text),
    lease_expires_at = NULL,
    completed_at = CASE WHEN expired.final THEN clock_timestamp() END,
    publication = publication + CASE WHEN expired.final THEN 0 ELSE 1 END,
    published_at = CASE WHEN expired.final THEN published_at END,
    qstash_message_id = CASE WHEN expired.final THEN qstash_message_id END,
    endpoint = CASE WHEN expired.final THEN endpoint END,
    publish_after = clock_timestamp(),
    undelivered = 1,
    updated_at = clock_timestamp()
FROM expired
WHERE job_executions.job_id = expired.job_id AND status = 'processing' AND lease_expires_at < clock_timestamp()
RETURNING job_executions.job_id, job_type, status, organization_id, attempt, error
