-- How many jobs fit, of the first `scan` that the index finds.
SELECT count(*) AS scanned, count(*) FILTER (WHERE fits) AS fitting
FROM (
    SELECT {fits} AS fits FROM job_executions WHERE {driven} ORDER BY created_at DESC, id DESC LIMIT %(scan)s
) AS scanned
