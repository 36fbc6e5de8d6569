-- What stood in the way of an insert: the job itself, where an earlier try had got through, or the job that holds its
-- idempotency key; and whether that has the payload given. Where either is sealed, both are opened to be compared.
SELECT job_id,
    payload_key IS NULL AND %(payload_key)s::text IS NULL AND payload = %(payload)s AS same_payload,
    CASE WHEN payload_key IS NOT NULL OR %(payload_key)s::text IS NOT NULL THEN payload::text END AS payload,
    payload_key
FROM job_executions
WHERE job_id = %(job_id)s
    OR (job_type = %(job_type)s
        AND coalesce(organization_id, 0) = coalesce(%(organization_id)s::bigint, 0)
        AND idempotency_key = %(idempotency_key)s)
