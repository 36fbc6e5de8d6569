SELECT {listed} FROM job_executions ORDER BY created_at DESC LIMIT %(limit)s
