-- The table that is the truth about every job. Invariants are CHECKs, so that no bug in any version of the
-- code can write a row that breaks them. Each index is there for the query named beside it.
CREATE TABLE job_executions (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job_id            uuid NOT NULL UNIQUE,
    job_type          text NOT NULL,
    status            text NOT NULL DEFAULT 'pending',
    payload           jsonb NOT NULL,
    result            jsonb,
    error             text,                                -- the last attempt's, while it still matters
    errors            jsonb NOT NULL DEFAULT '[]',         -- every attempt's, of every run
    progress          jsonb,
    user_id           bigint,
    organization_id   bigint,
    idempotency_key   text,
    schedule_id       text,
    batch_id          uuid,

    run               integer NOT NULL DEFAULT 1,          -- replay starts another
    attempt           integer NOT NULL DEFAULT 0,          -- never goes back; replay raises max_attempts
    max_attempts      integer NOT NULL,
    retry_count       integer GENERATED ALWAYS AS (greatest(attempt - 1, 0)) STORED,
    lease_expires_at  timestamptz,                         -- until then the running attempt owns the job
    claimed_by        uuid,                                -- the delivery that made the latest claim

    publication       integer NOT NULL DEFAULT 1,          -- 0: a schedule's message, which carries no number
    publish_options   jsonb NOT NULL DEFAULT '{}',         -- headers, callback, retries, flow control, timeout
    not_before        timestamptz,                         -- when the caller wants it run
    publish_after     timestamptz NOT NULL DEFAULT now(),  -- reconcile leaves an unpublished row alone until then
    published_at      timestamptz,                         -- null: this publication is not known to be at QStash
    qstash_message_id text,
    undelivered       integer NOT NULL DEFAULT 1,          -- publications in a row in which no attempt began
    deliver_by        timestamptz,                         -- by then QStash should have delivered it again
    dlq_id            text,
    failure_callback  text,                                -- the caller's, told once the job has failed
    failure_called_at timestamptz,

    started_at        timestamptz,                         -- of the latest attempt
    completed_at      timestamptz,                         -- when it ended, however it ended
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT status_is_known CHECK (
        status IN ('pending', 'processing', 'retrying', 'completed', 'failed', 'cancelled')),
    CONSTRAINT finished_has_completed_at CHECK (
        (status IN ('completed', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    CONSTRAINT processing_has_lease CHECK (
        (status = 'processing') = (lease_expires_at IS NOT NULL)),
    CONSTRAINT processing_has_started CHECK (status <> 'processing' OR (started_at IS NOT NULL AND attempt > 0)),
    CONSTRAINT pending_has_not_run CHECK (status <> 'pending' OR attempt = 0 OR run > 1),
    CONSTRAINT failed_says_why CHECK (status <> 'failed' OR error IS NOT NULL),
    CONSTRAINT attempt_within_max CHECK (attempt BETWEEN 0 AND max_attempts),
    CONSTRAINT counters_make_sense CHECK (max_attempts >= 1 AND run >= 1 AND publication >= 0 AND undelivered >= 0),
    CONSTRAINT times_make_sense CHECK (not_before BETWEEN '1970-01-01Z' AND '2999-12-31Z'),  -- a client can read them
    CONSTRAINT payload_is_object CHECK (jsonb_typeof(payload) = 'object'),
    CONSTRAINT errors_is_array CHECK (jsonb_typeof(errors) = 'array')
);

-- enqueue: one key, one job; per organization, or one tenant would be given another's job id
CREATE UNIQUE INDEX job_executions_idempotency ON job_executions (job_type, coalesce(organization_id, 0), idempotency_key)
    WHERE idempotency_key IS NOT NULL;
-- list the latest jobs; statistics over a window
CREATE INDEX job_executions_created ON job_executions (created_at DESC);
-- list the latest failed, pending, retrying or cancelled jobs; gauges
CREATE INDEX job_executions_status ON job_executions (status, created_at DESC) WHERE status <> 'completed';
-- list the latest jobs of a type
CREATE INDEX job_executions_type ON job_executions (job_type, created_at DESC);
-- list the latest jobs of a user, of an organization
CREATE INDEX job_executions_user ON job_executions (user_id, created_at DESC) WHERE user_id IS NOT NULL;
CREATE INDEX job_executions_organization ON job_executions (organization_id, created_at DESC)
    WHERE organization_id IS NOT NULL;
-- list and count the stuck: processing for too long
CREATE INDEX job_executions_processing ON job_executions (started_at) WHERE status = 'processing';
-- reconcile: leases that have expired
CREATE INDEX job_executions_lease ON job_executions (lease_expires_at) WHERE status = 'processing';
-- reconcile: the outbox
CREATE INDEX job_executions_unpublished ON job_executions (publish_after)
    WHERE published_at IS NULL AND status IN ('pending', 'retrying');
-- reconcile: deliveries that are overdue
CREATE INDEX job_executions_overdue ON job_executions (deliver_by)
    WHERE published_at IS NOT NULL AND status IN ('pending', 'retrying');
-- reconcile: callers still to be told of a failure
CREATE INDEX job_executions_untold ON job_executions (completed_at)
    WHERE status = 'failed' AND failure_callback IS NOT NULL AND failure_called_at IS NULL;
