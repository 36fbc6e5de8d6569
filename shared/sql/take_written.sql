-- Jobs that a transaction wrote, if it committed them; reserved like all of the outbox before any HTTP.
UPDATE job_executions
SET publish_after = clock_timestamp() + interval '15 seconds'
WHERE job_id = ANY(%(job_ids)s) AND published_at IS NULL AND status = 'pending'
    AND (not_before IS NULL OR not_before <= clock_timestamp() + make_interval(secs => %(max_delay)s))
RETURNING {unpublished}
