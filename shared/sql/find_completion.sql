-- The completion job of a batch all of whose members have ended, where it is still to be published.
SELECT job_batches.then_job_id
FROM job_batches JOIN job_executions ON job_executions.job_id = job_batches.then_job_id
WHERE job_batches.id = %(batch_id)s AND fired_at IS NOT NULL AND published_at IS NULL
