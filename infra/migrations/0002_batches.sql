-- Batches: one job that runs when all of a batch have ended, exactly once.
CREATE TABLE job_batches (
    id          uuid PRIMARY KEY,
    total       integer NOT NULL,
    remaining   integer NOT NULL,                  -- members that have not ended
    then_job_id uuid NOT NULL,
    then_job    jsonb NOT NULL,                    -- the completion job, as insert_jobs.sql takes one
    fired_at    timestamptz,                       -- when it was inserted; from then on the batch is left alone
    created_at  timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT remaining_within_total CHECK (total >= 1 AND remaining BETWEEN 0 AND total),
    CONSTRAINT fired_when_all_have_ended CHECK ((fired_at IS NOT NULL) = (remaining = 0))
);

ALTER TABLE job_executions ADD COLUMN completes_batch uuid;  -- of a completion job: whose members it looks at
ALTER TABLE job_executions ADD CONSTRAINT batch_is_known FOREIGN KEY (batch_id) REFERENCES job_batches (id) NOT VALID;
-- list a batch's members
CREATE INDEX job_executions_batch ON job_executions (batch_id) WHERE batch_id IS NOT NULL;

-- Every terminal write, whoever makes it, takes one from `remaining` in its own transaction; the one that takes the
-- last inserts the completion job there, unpublished. A trigger, so that no statement can forget it. It locks the
-- batch's row after the job's.
CREATE FUNCTION count_ended_batch_member() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    batch job_batches;
BEGIN
    UPDATE job_batches
    SET remaining = remaining - 1, fired_at = CASE WHEN remaining = 1 THEN clock_timestamp() END
    WHERE id = NEW.batch_id AND fired_at IS NULL
    RETURNING * INTO batch;
    IF batch.fired_at IS NOT NULL THEN
        INSERT INTO job_executions (
            job_id, job_type, payload, user_id, organization_id, max_attempts, publish_options, failure_callback,
            completes_batch, not_before, publish_after)
        SELECT
            batch.then_job_id, job.job_type, job.payload, job.user_id, job.organization_id, job.max_attempts,
            job.publish_options, job.failure_callback, batch.id, due.at,
            greatest(clock_timestamp(), due.at - make_interval(secs => job.max_delay))
        FROM jsonb_to_record(batch.then_job) AS job(
            job_type text, payload jsonb, user_id bigint, organization_id bigint, max_attempts integer,
            publish_options jsonb, failure_callback text, not_before timestamptz, delay double precision,
            max_delay double precision),
        LATERAL (SELECT coalesce(job.not_before, clock_timestamp() + make_interval(secs => job.delay)) AS at) AS due;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER batch_member_ended AFTER UPDATE OF status ON job_executions
FOR EACH ROW
WHEN (NEW.batch_id IS NOT NULL AND NEW.completed_at IS NOT NULL AND OLD.completed_at IS NULL)
EXECUTE FUNCTION count_ended_batch_member();

-- A member that runs again is waited for again, as long as the completion job does not exist.
CREATE FUNCTION count_replayed_batch_member() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE job_batches SET remaining = remaining + 1 WHERE id = NEW.batch_id AND fired_at IS NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER batch_member_replayed AFTER UPDATE OF status ON job_executions
FOR EACH ROW
WHEN (NEW.batch_id IS NOT NULL AND NEW.completed_at IS NULL AND OLD.completed_at IS NOT NULL)
EXECUTE FUNCTION count_replayed_batch_member();
