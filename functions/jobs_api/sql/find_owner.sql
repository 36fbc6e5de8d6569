-- Whose job it is, and of which type; neither ever changes.
SELECT job_type, organization_id FROM job_executions WHERE job_id = %(job_id)s
