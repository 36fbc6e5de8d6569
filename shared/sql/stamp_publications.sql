-- Note that QStash has taken these publications. Never the status: the jobs may have run by now.
UPDATE job_executions
SET published_at = clock_timestamp(),
    qstash_message_id = taken.message_id,
    endpoint = taken.endpoint,
    deliver_by = greatest(clock_timestamp(), not_before) + interval '15 minutes',
    updated_at = clock_timestamp()
FROM unnest(%(job_ids)s::uuid[], %(publications)s::integer[], %(message_ids)s::text[], %(endpoints)s::text[])
    AS taken(job_id, publication, message_id, endpoint)
WHERE job_executions.job_id = taken.job_id AND job_executions.publication = taken.publication
    AND published_at IS NULL
