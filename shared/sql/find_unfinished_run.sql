-- Another run of the same schedule that is not over; none where this run has its row already, for then it has begun.
SELECT job_id FROM job_executions
WHERE schedule_id = %(schedule_id)s AND status IN ('pending', 'processing', 'retrying')
    AND NOT EXISTS (SELECT FROM job_executions WHERE job_id = %(job_id)s)
LIMIT 1
