-- Note that QStash has taken this publication. Never the status: the job may have run by now.
UPDATE job_executions
SET published_at = clock_timestamp(),
    qstash_message_id = %(message_id)s,
    deliver_by = greatest(clock_timestamp(), not_before) + interval '15 minutes',
    updated_at = clock_timestamp()
WHERE job_id = %(job_id)s AND publication = %(publication)s AND published_at IS NULL
