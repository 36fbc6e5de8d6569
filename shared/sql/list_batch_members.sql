-- How each member of a batch stands.
SELECT {member}, result_key FROM job_executions WHERE batch_id = %(batch_id)s ORDER BY id
