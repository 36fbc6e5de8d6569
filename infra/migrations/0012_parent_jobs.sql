-- Which job was running when a job was enqueued: the chain that people follow. Null: none was, or old code enqueued it.
-- No foreign key: retention may delete the parent first.
ALTER TABLE job_executions ADD COLUMN parent_job_id uuid;

-- As in 0005, and the completion job brings its parent, which is the batch's. A batch of old code has none.
CREATE OR REPLACE FUNCTION count_ended_batch_member() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    batch job_batches;
BEGIN
    UPDATE job_batches
    SET remaining = remaining - 1, fired_at = CASE WHEN remaining = 1 THEN clock_timestamp() END
    WHERE id = NEW.batch_id AND fired_at IS NULL
    RETURNING * INTO batch;
    IF batch.fired_at IS NOT NULL THEN
        INSERT INTO job_executions (
            job_id, job_type, payload, payload_key, by_reference, user_id, organization_id, max_attempts,
            publish_options, failure_callback, completes_batch, parent_job_id, not_before, publish_after)
        SELECT
            batch.then_job_id, job.job_type, job.payload, job.payload_key, coalesce(job.by_reference, false),
            job.user_id, job.organization_id, job.max_attempts, job.publish_options, job.failure_callback, batch.id,
            job.parent_job_id, due.at,
            greatest(clock_timestamp(), due.at - make_interval(secs => job.max_delay))
        FROM jsonb_to_record(batch.then_job) AS job(
            job_type text, payload jsonb, payload_key text, by_reference boolean, user_id bigint,
            organization_id bigint, max_attempts integer, publish_options jsonb, failure_callback text,
            parent_job_id uuid, not_before timestamptz, delay double precision, max_delay double precision),
        LATERAL (SELECT coalesce(job.not_before, clock_timestamp() + make_interval(secs => job.delay)) AS at) AS due;
    END IF;
    RETURN NULL;
END
$$;
