SELECT id, total, remaining, then_job_id, then_job ->> 'job_type' AS then_type,
    (then_job ->> 'organization_id')::bigint AS organization_id, fired_at, created_at
FROM job_batches
WHERE id = %(batch_id)s
