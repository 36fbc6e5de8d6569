-- Jobs that were published to a URL which is no longer their function's: publish them anew. What the old message still
-- delivers is of an older publication, and is not run.
WITH moved AS (
    SELECT job_id
    FROM job_executions
        JOIN unnest(%(job_types)s::text[], %(urls)s::text[]) AS now_at(job_type, url) USING (job_type)
    WHERE status IN ('pending', 'retrying') AND published_at IS NOT NULL AND endpoint <> now_at.url
    LIMIT %(limit)s
    FOR UPDATE OF job_executions SKIP LOCKED
)
UPDATE job_executions
SET publication = publication + 1,
    published_at = NULL,
    qstash_message_id = NULL,
    endpoint = NULL,
    publish_after = clock_timestamp(),
    undelivered = 1,
    updated_at = clock_timestamp()
FROM moved
WHERE job_executions.job_id = moved.job_id AND status IN ('pending', 'retrying') AND published_at IS NOT NULL
RETURNING job_executions.job_id, job_type, status, organization_id, attempt, coalesce(error, 'its function has moved') AS error
