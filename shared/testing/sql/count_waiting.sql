-- How many jobs of a test have not ended.
SELECT count(*) AS waiting FROM job_executions
WHERE id > %(since)s AND status IN ('pending', 'retrying', 'processing')
    AND (%(job_types)s::text[] IS NULL OR job_type = ANY(%(job_types)s))
