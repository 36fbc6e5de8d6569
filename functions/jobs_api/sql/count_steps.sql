-- The window in equal steps: jobs accepted, completed and failed in each, of the newest `scan` accepted within it.
WITH newest AS MATERIALIZED (
    SELECT status, floor(date_part('epoch', created_at - %(begins)s) / %(seconds)s)::integer AS accepted_in,
        CASE WHEN status IN ('completed', 'failed')
            THEN floor(date_part('epoch', completed_at - %(begins)s) / %(seconds)s)::integer END AS ended_in
    FROM job_executions
    WHERE created_at >= %(begins)s AND (%(organization_id)s::bigint IS NULL OR organization_id = %(organization_id)s)
    ORDER BY created_at DESC
    LIMIT %(scan)s
)
SELECT step, sum(accepted)::bigint AS accepted, sum(completed)::bigint AS completed, sum(failed)::bigint AS failed
FROM (
    SELECT accepted_in AS step, count(*) AS accepted, 0 AS completed, 0 AS failed FROM newest GROUP BY accepted_in
    UNION ALL
    SELECT ended_in, 0, count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'failed')
    FROM newest WHERE ended_in IS NOT NULL GROUP BY ended_in
) AS moments
WHERE step BETWEEN 0 AND %(steps)s - 1
GROUP BY step
ORDER BY step
