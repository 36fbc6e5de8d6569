-- The jobs of a test are over. What somebody else still holds in a transaction is left: nobody waits.
DELETE FROM job_executions
WHERE id IN (SELECT id FROM job_executions WHERE id > %(since)s FOR UPDATE SKIP LOCKED)
RETURNING batch_id
