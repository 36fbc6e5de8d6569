-- What is accepted from here on comes after this.
SELECT coalesce(max(id), 0) AS last FROM job_executions
