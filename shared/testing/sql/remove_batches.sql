-- Batches whose members are gone.
DELETE FROM job_batches
WHERE id = ANY(%(batch_ids)s) AND NOT EXISTS (SELECT FROM job_executions WHERE batch_id = job_batches.id)
