-- A page of jobs, newest first, and how far was looked for them: the row that `scan` ended at.
WITH scanned AS (
    SELECT id, created_at, {fits} AS fits
    FROM job_executions
    WHERE {driven}
    ORDER BY created_at DESC, id DESC
    LIMIT %(scan)s
), found AS (
    SELECT id FROM scanned WHERE fits ORDER BY created_at DESC, id DESC LIMIT %(limit)s
), looked AS (
    SELECT count(*) AS scanned, min(created_at) AS scanned_to,
        (SELECT id FROM scanned ORDER BY created_at, id LIMIT 1) AS scanned_to_id
    FROM scanned
)
SELECT looked.*, job_executions.id, {summary}
FROM looked LEFT JOIN (found JOIN job_executions USING (id)) ON true
ORDER BY job_executions.created_at DESC, job_executions.id DESC
