-- What stood in the way of an insert: the job itself, where an earlier try had got through unheard, or the job that
-- holds its idempotency key; and whether that has the payload given.
SELECT job_id, payload = %(payload)s AS same_payload
FROM job_executions
WHERE job_id = %(job_id)s
    OR (job_type = %(job_type)s
        AND coalesce(organization_id, 0) = coalesce(%(organization_id)s::bigint, 0)
        AND idempotency_key = %(idempotency_key)s)
