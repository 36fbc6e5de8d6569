-- What chaos writes down beside the jobs, so that what happened can be judged afterwards.
CREATE TABLE chaos_effects (job_id uuid NOT NULL, run int NOT NULL, attempt int NOT NULL);
CREATE INDEX ON chaos_effects (job_id);
CREATE TABLE chaos_tries (id uuid PRIMARY KEY, job_id uuid NOT NULL, attempt int NOT NULL, tag text NOT NULL);
CREATE INDEX ON chaos_tries (tag text_pattern_ops);
CREATE TABLE chaos_orders (tag text NOT NULL);
CREATE TABLE chaos_summaries (job_id uuid NOT NULL, member uuid NOT NULL, status text NOT NULL);
CREATE TABLE chaos_overtakings (job_id uuid NOT NULL, attempt int NOT NULL, lease_left interval NOT NULL);
CREATE TABLE chaos_patience (job_id uuid NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX chaos_tags ON job_executions ((payload ->> 'tag') text_pattern_ops);

-- Every change of a job that its delivery is about, in its order.
CREATE TABLE chaos_history (
    number bigint GENERATED ALWAYS AS IDENTITY,
    job_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status text NOT NULL,
    run int NOT NULL,
    attempt int NOT NULL,
    errors int NOT NULL,
    error_type text,
    not_before timestamptz,
    published boolean NOT NULL DEFAULT false
);
CREATE INDEX ON chaos_history (job_id);

CREATE FUNCTION chaos_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_history (job_id, status, run, attempt, errors, error_type, not_before, published)
    VALUES (NEW.job_id, NEW.status, NEW.run, NEW.attempt, jsonb_array_length(NEW.errors),
        NEW.errors #>> '{-1,type}', NEW.not_before, NEW.published_at IS NOT NULL);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_note_insert AFTER INSERT ON job_executions FOR EACH ROW EXECUTE FUNCTION chaos_note_change();
CREATE TRIGGER chaos_note_change AFTER UPDATE ON job_executions FOR EACH ROW
    WHEN (NEW.status <> OLD.status OR NEW.run <> OLD.run OR NEW.attempt <> OLD.attempt
        OR (NEW.published_at IS NULL) <> (OLD.published_at IS NULL)
        OR jsonb_array_length(NEW.errors) <> jsonb_array_length(OLD.errors))
    EXECUTE FUNCTION chaos_note_change();

CREATE FUNCTION chaos_note_overtaking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_overtakings VALUES (NEW.job_id, OLD.attempt, OLD.lease_expires_at - clock_timestamp());
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_note_overtaking AFTER UPDATE ON job_executions FOR EACH ROW
    WHEN (OLD.status = 'processing' AND OLD.lease_expires_at > clock_timestamp()
        AND (NEW.attempt <> OLD.attempt OR NEW.publication <> OLD.publication))
    EXECUTE FUNCTION chaos_note_overtaking();

-- A job whose function could not be reached waits for 1, 5, 30 and 120 minutes and is given up then. Here it does not
-- wait, so it is not given up either.
CREATE FUNCTION chaos_shorten_wait() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.publish_after := clock_timestamp();
    NEW.undelivered := least(NEW.undelivered, 2);
    RETURN NEW;
END $$;
CREATE TRIGGER chaos_shorten_wait BEFORE UPDATE ON job_executions FOR EACH ROW
    WHEN (NEW.undelivered > OLD.undelivered AND NEW.published_at IS NULL)
    EXECUTE FUNCTION chaos_shorten_wait();
