SELECT {listed} FROM job_executions
WHERE organization_id = %(organization_id)s ORDER BY created_at DESC LIMIT %(limit)s
