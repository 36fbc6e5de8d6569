-- The latest run of each of these schedules.
SELECT schedule_id, job_id, status, created_at, completed_at, left(error, 300) AS error
FROM unnest(%(schedule_ids)s::text[]) AS asked(schedule_id),
    LATERAL (
        SELECT job_id, status, created_at, completed_at, error FROM job_executions
        WHERE job_executions.schedule_id = asked.schedule_id ORDER BY created_at DESC LIMIT 1) AS latest
