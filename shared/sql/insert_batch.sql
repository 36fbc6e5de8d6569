-- The row that counts a batch's members; they are inserted in the same transaction.
INSERT INTO job_batches (id, total, remaining, then_job_id, then_job)
VALUES (%(batch_id)s, %(total)s, %(total)s, %(job_id)s, %(then_job)s)
ON CONFLICT (id) DO NOTHING
