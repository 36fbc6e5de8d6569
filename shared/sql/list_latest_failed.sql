SELECT {listed} FROM job_executions WHERE status = 'failed' ORDER BY created_at DESC LIMIT %(limit)s
