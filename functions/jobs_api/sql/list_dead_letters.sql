-- The newest dead letters by what went wrong.
SELECT job_type, error_group, count(*) AS jobs, min(completed_at) AS first_at, max(completed_at) AS last_at,
    (array_agg(error ORDER BY created_at DESC))[1] AS error, (array_agg(job_id ORDER BY created_at DESC))[1] AS job_id,
    sum(count(*)) OVER ()::bigint AS scanned
FROM (
    SELECT job_type, job_id, {error_group} AS error_group, left(error, 300) AS error, created_at, completed_at
    FROM job_executions
    WHERE status = 'failed' AND (%(organization_id)s::bigint IS NULL OR organization_id = %(organization_id)s)
    ORDER BY created_at DESC
    LIMIT %(scan)s
) AS newest
GROUP BY job_type, error_group
ORDER BY jobs DESC, last_at DESC, job_type, error_group
LIMIT 100
