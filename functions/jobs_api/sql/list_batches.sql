-- Batches, newest first: their ids are made in that order. An organization's are those whose completion is its job.
SELECT id, total, remaining, then_job_id, then_job ->> 'job_type' AS then_type,
    (then_job ->> 'organization_id')::bigint AS organization_id, fired_at, created_at
FROM job_batches
WHERE (%(before)s::uuid IS NULL OR id < %(before)s)
    AND (%(organization_id)s::bigint IS NULL OR (then_job ->> 'organization_id')::bigint = %(organization_id)s)
ORDER BY id DESC
LIMIT %(limit)s
