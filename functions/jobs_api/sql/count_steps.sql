-- The window in equal steps: jobs accepted, completed and failed in each, of the newest `scan` accepted within it.
WITH newest AS MATERIALIZED (
    SELECT created_at, status, completed_at
    FROM job_executions
    WHERE created_at >= %(begins)s AND (%(organization_id)s::bigint IS NULL OR organization_id = %(organization_id)s)
    ORDER BY created_at DESC
    LIMIT %(scan)s
)
SELECT step, sum(accepted)::bigint AS accepted, sum(completed)::bigint AS completed, sum(failed)::bigint AS failed
FROM (
    SELECT floor(extract(epoch FROM created_at - %(begins)s) / %(seconds)s)::integer AS step,
        1 AS accepted, 0 AS completed, 0 AS failed
    FROM newest
    UNION ALL
    SELECT floor(extract(epoch FROM completed_at - %(begins)s) / %(seconds)s)::integer, 0,
        (status = 'completed')::integer, (status = 'failed')::integer
    FROM newest WHERE status IN ('completed', 'failed')
) AS moments
WHERE step BETWEEN 0 AND %(steps)s - 1
GROUP BY step
ORDER BY step
