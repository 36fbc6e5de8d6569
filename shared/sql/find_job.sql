SELECT {execution} FROM job_executions WHERE job_id = %(job_id)s
