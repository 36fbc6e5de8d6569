-- Jobs accepted within the period, by type and, without one, in all. Durations in seconds: the last attempt's.
SELECT
    job_type,
    count(*) AS jobs,
    count(*) FILTER (WHERE status = 'completed') AS completed,
    count(*) FILTER (WHERE status = 'failed') AS dead_letters,
    count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
    count(*) FILTER (WHERE completed_at IS NULL) AS unfinished,
    round(100.0 * count(*) FILTER (WHERE status = 'failed')
        / nullif(count(*) FILTER (WHERE status IN ('completed', 'failed')), 0), 1) AS failure_rate,
    coalesce(sum(retry_count), 0) AS retries,
    round((percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM completed_at - started_at))
        FILTER (WHERE status = 'completed'))::numeric, 3) AS p50,
    round((percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM completed_at - started_at))
        FILTER (WHERE status = 'completed'))::numeric, 3) AS p95
FROM job_executions
WHERE organization_id = %(organization_id)s AND created_at >= %(starts_at)s AND created_at < %(ends_at)s
    AND (%(job_types)s::text[] IS NULL OR job_type = ANY(%(job_types)s))
GROUP BY GROUPING SETS ((job_type), ())
ORDER BY jobs DESC, job_type
