SELECT {listed} FROM job_executions WHERE job_type = %(job_type)s ORDER BY created_at DESC LIMIT %(limit)s
