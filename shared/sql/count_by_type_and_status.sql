-- Statistics over a window, which bounds the cost: the whole table takes seconds under any index.
SELECT job_type, status, count(*) AS jobs, sum(retry_count)::bigint AS retries,
    avg(extract(epoch FROM completed_at - started_at)) FILTER (WHERE status = 'completed')::double precision
        AS average_duration,
    percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM completed_at - started_at)::double precision)
        FILTER (WHERE status = 'completed') AS p95_duration
FROM job_executions
WHERE created_at >= statement_timestamp() - make_interval(secs => %(window)s)
GROUP BY job_type, status
ORDER BY job_type, status
