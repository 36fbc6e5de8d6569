-- One job whole, as far as it can be shown: sealed values not, large ones not, of its errors the latest.
SELECT {summary}, error AS full_error, {payload}, {result},
    CASE WHEN octet_length(progress::text) <= {shown_bytes} THEN progress END AS progress,
    retry_count, publication, published_at, lease_expires_at, deliver_by, qstash_message_id, dlq_id, endpoint,
    completes_batch, payload_key IS NOT NULL AS sealed, by_reference,
    jsonb_array_length(errors) AS error_count,
    (SELECT coalesce(jsonb_agg(each ORDER BY number), '[]') FROM (
        SELECT each, number FROM jsonb_array_elements(errors) WITH ORDINALITY AS one(each, number)
        ORDER BY number DESC LIMIT {shown_errors}) AS latest) AS errors
FROM job_executions
WHERE job_id = %(job_id)s
