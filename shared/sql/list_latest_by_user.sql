SELECT {listed} FROM job_executions WHERE user_id = %(user_id)s ORDER BY created_at DESC LIMIT %(limit)s
