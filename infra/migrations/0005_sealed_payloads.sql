-- Sensitive payloads and results are sealed: the id of the key says so, and under which; null means plain JSON.
ALTER TABLE job_executions ADD COLUMN payload_key text;
ALTER TABLE job_executions ADD COLUMN result_key text;
-- The payload stays in Postgres: sealed, or too large for a message. Whoever publishes the job does not read it.
ALTER TABLE job_executions ADD COLUMN by_reference boolean NOT NULL DEFAULT false;
ALTER TABLE job_executions ADD CONSTRAINT sealed_travels_by_reference
    CHECK (payload_key IS NULL OR by_reference) NOT VALID;  -- the rows that are there have no key

-- The payloads of schedules that travel by reference: QStash's message names one, and the run's row is given a copy.
CREATE TABLE schedule_payloads (
    id          uuid PRIMARY KEY,
    schedule_id text NOT NULL,
    payload     jsonb NOT NULL,
    payload_key text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    removed_at  timestamptz,                       -- replaced or unscheduled; a message on its way may still name it

    CONSTRAINT scheduled_payload_is_object CHECK (jsonb_typeof(payload) = 'object')
);
-- schedule, unschedule: what a schedule's messages name now
CREATE INDEX schedule_payloads_kept ON schedule_payloads (schedule_id, created_at) WHERE removed_at IS NULL;

-- As in 0002, and the completion job brings how its payload is kept. A batch that old code has inserted says nothing of it.
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
            publish_options, failure_callback, completes_batch, not_before, publish_after)
        SELECT
            batch.then_job_id, job.job_type, job.payload, job.payload_key, coalesce(job.by_reference, false),
            job.user_id, job.organization_id, job.max_attempts, job.publish_options, job.failure_callback, batch.id,
            due.at, greatest(clock_timestamp(), due.at - make_interval(secs => job.max_delay))
        FROM jsonb_to_record(batch.then_job) AS job(
            job_type text, payload jsonb, payload_key text, by_reference boolean, user_id bigint,
            organization_id bigint, max_attempts integer, publish_options jsonb, failure_callback text,
            not_before timestamptz, delay double precision, max_delay double precision),
        LATERAL (SELECT coalesce(job.not_before, clock_timestamp() + make_interval(secs => job.delay)) AS at) AS due;
    END IF;
    RETURN NULL;
END
$$;
