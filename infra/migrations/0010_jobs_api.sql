-- The HTTP API and the dashboard: who is signed in, who did what, and how often.
CREATE TABLE api_sessions (
    token_digest bytea PRIMARY KEY,                -- SHA-256 of what the cookie holds
    key_name     text NOT NULL,
    key_digest   text NOT NULL,                    -- of the key that signed in: without it the session is void
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL,

    CONSTRAINT session_ends CHECK (expires_at > created_at)
);
-- remove sessions that have expired
CREATE INDEX api_sessions_expired ON api_sessions (expires_at);

CREATE TABLE api_actions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    key_name        text NOT NULL,
    organization_id bigint,                        -- that the key is bound to
    via             text NOT NULL,
    source_ip       text NOT NULL,
    action          text NOT NULL,
    target          text,                          -- a job's, batch's or schedule's id
    details         jsonb NOT NULL DEFAULT '{}',   -- never a payload
    outcome         text,                          -- null: under way, or its process died
    ended_at        timestamptz,

    CONSTRAINT via_is_known CHECK (via IN ('api', 'dashboard')),
    CONSTRAINT ended_has_outcome CHECK ((outcome IS NULL) = (ended_at IS NULL))
);
-- list the latest actions of keys bound to an organization
CREATE INDEX api_actions_organization ON api_actions (organization_id, id DESC) WHERE organization_id IS NOT NULL;
-- list what was done to a job
CREATE INDEX api_actions_target ON api_actions (target, id DESC) WHERE target IS NOT NULL;

-- How often something happened in each minute: sign-ins that failed, by address; actions, by key.
CREATE TABLE api_limits (
    counted text NOT NULL,
    minute  timestamptz NOT NULL,
    times   integer NOT NULL,

    PRIMARY KEY (counted, minute)
);
-- remove minutes that are over
CREATE INDEX api_limits_minute ON api_limits (minute);

-- Pages of a list begin where the one before ended, by created_at: jobs of one transaction must not all have the same.
ALTER TABLE job_executions ALTER COLUMN created_at SET DEFAULT clock_timestamp();
