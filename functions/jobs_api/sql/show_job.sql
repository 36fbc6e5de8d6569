-- One job whole, as far as it can be shown: sealed values not, large ones not, of its errors the latest. Its parent and its
-- children where an organization may see them: they may be another's.
SELECT {summary}, error AS full_error, {payload}, {result},
    CASE WHEN octet_length(progress::text) <= {shown_bytes} THEN progress END AS progress,
    retry_count, publication, published_at, lease_expires_at, deliver_by, qstash_message_id, dlq_id, endpoint,
    completes_batch, payload_key IS NOT NULL AS sealed, by_reference,
    jsonb_array_length(errors) AS error_count,
    (SELECT coalesce(jsonb_agg(each ORDER BY number), '[]') FROM (
        SELECT each, number, sum(octet_length(each::text)) OVER (ORDER BY number DESC) AS bytes
        FROM jsonb_array_elements(errors) WITH ORDINALITY AS one(each, number)
        ORDER BY number DESC LIMIT {shown_errors}) AS latest WHERE bytes <= {shown_error_bytes}) AS errors,
    (SELECT {reference} FROM job_executions AS parent
        WHERE parent.job_id = job_executions.parent_job_id
            AND (%(organization_id)s::bigint IS NULL OR parent.organization_id = %(organization_id)s)) AS parent,
    (SELECT coalesce(jsonb_agg({reference} ORDER BY created_at, id), '[]') FROM (
        SELECT id, job_id, job_type, status, batch_id, created_at FROM (
            SELECT * FROM job_executions AS child WHERE child.parent_job_id = job_executions.job_id
            ORDER BY created_at LIMIT %(scan)s) AS oldest
        WHERE %(organization_id)s::bigint IS NULL OR organization_id = %(organization_id)s
        ORDER BY created_at LIMIT {shown_children} + 1) AS first) AS children
FROM job_executions
WHERE job_id = %(job_id)s AND (%(organization_id)s::bigint IS NULL OR organization_id = %(organization_id)s)
