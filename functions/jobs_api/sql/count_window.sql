-- Jobs accepted within the window by type and status, of the newest `scan` of them; durations of the last attempts.
SELECT job_type, status, count(*) AS jobs, sum(retry_count)::bigint AS retries, min(created_at) AS oldest,
    avg(seconds)::double precision AS average_duration,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50_duration,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95_duration,
    max(seconds) AS longest_duration
FROM (
    SELECT job_type, status, retry_count, created_at,
        CASE WHEN status = 'completed' THEN date_part('epoch', completed_at - started_at) END AS seconds
    FROM job_executions
    WHERE created_at >= statement_timestamp() - make_interval(secs => %(window)s)
        AND (%(organization_id)s::bigint IS NULL OR organization_id = %(organization_id)s)
    ORDER BY created_at DESC
    LIMIT %(scan)s
) AS newest
GROUP BY job_type, status
ORDER BY job_type, status
