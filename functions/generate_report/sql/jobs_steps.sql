-- What became of the jobs accepted in each step of the period.
SELECT
    greatest(step.first::date, %(first)s::date) AS first,
    count(job.id) FILTER (WHERE job.status = 'completed') AS completed,
    count(job.id) FILTER (WHERE job.status = 'failed') AS dead_letters,
    count(job.id) FILTER (WHERE job.status = 'cancelled') AS cancelled,
    count(job.id) FILTER (WHERE job.completed_at IS NULL) AS unfinished
FROM generate_series(
    date_trunc(%(step)s, %(first)s::date::timestamp), %(last)s::date::timestamp, %(step_length)s::interval) AS step (first)
LEFT JOIN (
    SELECT id, status, completed_at, date_trunc(%(step)s, created_at AT TIME ZONE %(time_zone)s) AS first
    FROM job_executions
    WHERE organization_id = %(organization_id)s AND created_at >= %(starts_at)s AND created_at < %(ends_at)s
        AND (%(job_types)s::text[] IS NULL OR job_type = ANY(%(job_types)s))
) AS job ON job.first = step.first
WHERE step.first AT TIME ZONE %(time_zone)s < %(ends_at)s  -- what is to come is not nothing
GROUP BY step.first
ORDER BY step.first
