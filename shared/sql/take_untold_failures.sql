-- Failed jobs whose caller wants to be told and has not been. The next try is set ahead before any HTTP.
WITH untold AS (
    SELECT job_id FROM job_executions
    WHERE status = 'failed' AND failure_callback IS NOT NULL AND failure_called_at IS NULL
        AND (job_id = %(job_id)s OR (%(job_id)s::uuid IS NULL AND publish_after <= statement_timestamp()))
    ORDER BY completed_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE job_executions
SET publish_after = clock_timestamp() + interval '1 minute'
FROM untold
WHERE job_executions.job_id = untold.job_id
RETURNING job_executions.job_id, job_type, run, attempt, error, errors, failure_callback, organization_id, user_id,
    completed_at
