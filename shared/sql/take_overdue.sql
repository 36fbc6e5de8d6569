-- Published jobs that should have been delivered by now; reserved before any HTTP, so that several sweeps share them.
WITH overdue AS (
    SELECT job_id FROM job_executions
    WHERE status IN ('pending', 'retrying') AND published_at IS NOT NULL AND deliver_by <= statement_timestamp()
    ORDER BY deliver_by
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE job_executions
SET deliver_by = clock_timestamp() + interval '15 minutes'
FROM overdue
WHERE job_executions.job_id = overdue.job_id
RETURNING job_executions.job_id, publication, qstash_message_id
