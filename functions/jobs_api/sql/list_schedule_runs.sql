-- The latest run of each of these schedules; of an organization's own, where one is given.
SELECT schedule_id, job_id, status, created_at, completed_at, left(error, 300) AS error
FROM unnest(%(schedule_ids)s::text[]) AS asked(schedule_id),
    LATERAL (
        SELECT job_id, status, created_at, completed_at, error FROM job_executions
        WHERE job_executions.schedule_id = asked.schedule_id
            AND (%(organization_id)s::bigint IS NULL OR organization_id = %(organization_id)s)
        ORDER BY created_at DESC LIMIT 1) AS latest
