-- How a job stands that could not be claimed or written: the answer to QStash follows from this.
SELECT status, publication, attempt,
    greatest(extract(epoch FROM lease_expires_at - clock_timestamp()), 0)::double precision AS lease_left
FROM job_executions
WHERE job_id = %(job_id)s
