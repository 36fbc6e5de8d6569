-- Jobs accepted within the last hour by status, of the newest `scan`.
SELECT status, count(*) AS jobs
FROM (
    SELECT status FROM job_executions
    WHERE created_at >= statement_timestamp() - make_interval(secs => %(window)s)
        AND (%(organization_id)s::bigint IS NULL OR organization_id = %(organization_id)s)
    ORDER BY created_at DESC
    LIMIT %(scan)s
) AS newest
GROUP BY status
