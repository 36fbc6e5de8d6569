-- The outbox: publications that are due and not known to be at QStash. The next try is set ahead before any HTTP,
-- so that no lock is held over it and several reconcilers share the work.
WITH due AS (
    SELECT job_id FROM job_executions
    WHERE published_at IS NULL AND status IN ('pending', 'retrying') AND publish_after <= statement_timestamp()
    ORDER BY publish_after
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE job_executions
SET publish_after = clock_timestamp() + interval '30 seconds'
FROM due
WHERE job_executions.job_id = due.job_id
RETURNING {unpublished}
