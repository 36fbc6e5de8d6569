-- How far the sweep has read QStash's dead letters.
CREATE TABLE reconcile_marks (
    name       text PRIMARY KEY,
    mark       bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
-- overlap: is another run of this schedule not over?
CREATE INDEX job_executions_unfinished_run ON job_executions (schedule_id)
    WHERE schedule_id IS NOT NULL AND status IN ('pending', 'processing', 'retrying');
