-- The claim that this delivery made and whose acknowledgement was lost on the way.
SELECT {claimed}
FROM job_executions
WHERE job_id = %(job_id)s AND claimed_by = %(delivery)s AND status = 'processing'
