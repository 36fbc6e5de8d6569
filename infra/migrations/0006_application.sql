-- The application that the jobs work for, in a schema of its own: accounts, billing, mails, webhooks, notifications, files.
-- Nothing in `public` refers to it, and nothing here to `job_executions`: a `job_id` names a job that retention may have
-- deleted, and a job's user_id and organization_id are these ids, but a job also outlives its user. So neither is a
-- foreign key.
--
-- What belongs to a tenant has organization_id, and its references within the tenant are (organization_id, id) pairs: no
-- statement can connect two tenants' rows. A deleted organization takes along what is only here. It is refused (NO ACTION)
-- as long as a row stands for something elsewhere: money at Stripe, a file in S3, an advertisement on a platform.
CREATE SCHEMA app;
COMMENT ON SCHEMA app IS 'The application that the jobs work for';

CREATE FUNCTION app.note_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.updated_at = OLD.updated_at THEN
        NEW.updated_at = clock_timestamp();
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION app.note_update() IS 'Sets updated_at where the statement did not';

-- Stripe's events arrive in any order. The statement that applies one skips it when it is older; this is the net.
CREATE FUNCTION app.refuse_older_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: the state of % is newer than the event of %', TG_TABLE_NAME, OLD.stripe_updated_at, NEW.stripe_updated_at
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
END
$$;
COMMENT ON FUNCTION app.refuse_older_event() IS 'Keeps an older event of Stripe from overwriting a newer state';

-- ---- Accounts -----------------------------------------------------------------------------------------------------

CREATE TABLE app.users (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email      text NOT NULL,
    name       text NOT NULL,
    phone      text,                                     -- E.164
    locale     text NOT NULL DEFAULT 'en-US',
    time_zone  text NOT NULL DEFAULT 'UTC',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT email_is_an_address CHECK (email ~ '^[^@\s]+@[^@\s]+$' AND length(email) <= 254),
    CONSTRAINT name_is_given CHECK (name <> ''),
    CONSTRAINT phone_is_e164 CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    CONSTRAINT locale_is_a_tag CHECK (locale ~ '^[a-z]{2,3}(-[A-Z]{2})?$'),
    CONSTRAINT time_zone_is_known CHECK (timezone(time_zone, timestamptz '2000-01-01Z') IS NOT NULL)
);
COMMENT ON TABLE app.users IS 'People who sign in: members of organizations, and applicants';
-- sign in; one account an address, however it is written
CREATE UNIQUE INDEX users_email ON app.users (lower(email));

CREATE TABLE app.organizations (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name               text NOT NULL,
    slug               text NOT NULL UNIQUE,
    time_zone          text NOT NULL DEFAULT 'UTC',      -- its reports' days
    stripe_customer_id text UNIQUE,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT name_is_given CHECK (name <> ''),
    CONSTRAINT slug_fits_a_url CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    CONSTRAINT time_zone_is_known CHECK (timezone(time_zone, timestamptz '2000-01-01Z') IS NOT NULL)
);
COMMENT ON TABLE app.organizations IS 'The tenants: letting agencies that pay for a subscription';

CREATE TABLE app.memberships (
    organization_id bigint NOT NULL REFERENCES app.organizations ON DELETE CASCADE,
    user_id         bigint NOT NULL REFERENCES app.users ON DELETE CASCADE,
    role            text NOT NULL DEFAULT 'member',
    created_at      timestamptz NOT NULL DEFAULT now(),

    PRIMARY KEY (organization_id, user_id),
    CONSTRAINT role_is_known CHECK (role IN ('owner', 'admin', 'member'))
);
COMMENT ON TABLE app.memberships IS 'Who belongs to which organization, and as what';
-- list a user's organizations
CREATE INDEX memberships_user ON app.memberships (user_id);

CREATE TABLE app.activity_logs (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES app.organizations ON DELETE CASCADE,
    user_id         bigint REFERENCES app.users ON DELETE SET NULL,  -- null: the system, or a user since deleted
    action          text NOT NULL,                       -- listing.published
    subject_type    text,                                -- listing
    subject_id      text,                                -- text, because some subjects are other systems'
    source          text NOT NULL DEFAULT 'app',         -- app, stripe, github …
    external_id     text,                                -- the event's id at its source
    data            jsonb NOT NULL DEFAULT '{}',
    occurred_at     timestamptz NOT NULL DEFAULT now(),
    created_at      timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT action_is_dotted CHECK (action ~ '^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$'),
    CONSTRAINT subject_is_whole CHECK ((subject_type IS NULL) = (subject_id IS NULL)),
    CONSTRAINT source_is_given CHECK (source <> ''),
    CONSTRAINT data_is_object CHECK (jsonb_typeof(data) = 'object')
);
COMMENT ON TABLE app.activity_logs IS 'What happened in an organization; an event applied twice is written once';
-- an event applied twice writes once
CREATE UNIQUE INDEX activity_logs_event ON app.activity_logs (source, external_id) WHERE external_id IS NOT NULL;
-- show the latest; export in order of time, a page after another
CREATE INDEX activity_logs_organization ON app.activity_logs (organization_id, occurred_at, id);
-- delete what is past its retention
CREATE INDEX activity_logs_occurred ON app.activity_logs (occurred_at);
-- delete a user; show what one did
CREATE INDEX activity_logs_user ON app.activity_logs (user_id, occurred_at) WHERE user_id IS NOT NULL;

-- ---- Billing: Stripe's state, as of the newest event that was applied ----------------------------------------------

CREATE TABLE app.subscriptions (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id        bigint NOT NULL REFERENCES app.organizations,
    stripe_subscription_id text NOT NULL UNIQUE,
    plan                   text NOT NULL,
    status                 text NOT NULL,                -- Stripe's
    amount                 bigint NOT NULL,              -- a whole interval's, in cents
    currency               text NOT NULL,
    billing_interval       text NOT NULL,
    interval_count         integer NOT NULL DEFAULT 1,   -- billed every so many intervals
    current_period_start   timestamptz NOT NULL,
    current_period_end     timestamptz NOT NULL,
    trial_ends_at          timestamptz,
    cancel_at_period_end   boolean NOT NULL DEFAULT false,
    canceled_at            timestamptz,                  -- when it was asked for
    started_at             timestamptz NOT NULL,
    ended_at               timestamptz,                  -- from then on it brings nothing
    stripe_updated_at      timestamptz NOT NULL,         -- `created` of the newest event applied
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),

    UNIQUE (organization_id, id),
    CONSTRAINT plan_is_given CHECK (plan <> ''),
    CONSTRAINT status_is_known CHECK (status IN (
        'incomplete', 'incomplete_expired', 'trialing', 'active', 'past_due', 'canceled', 'unpaid', 'paused')),
    CONSTRAINT amount_is_not_negative CHECK (amount >= 0),
    CONSTRAINT currency_is_a_code CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT interval_is_known CHECK (billing_interval IN ('day', 'week', 'month', 'year') AND interval_count >= 1),
    CONSTRAINT period_has_length CHECK (current_period_end > current_period_start),
    CONSTRAINT canceled_has_canceled_at CHECK (status <> 'canceled' OR canceled_at IS NOT NULL),
    CONSTRAINT ends_after_start CHECK (ended_at >= started_at)
);
COMMENT ON TABLE app.subscriptions IS 'What each organization pays for, as Stripe last said';
-- find an organization's subscription; its report of recurring revenue
CREATE INDEX subscriptions_organization ON app.subscriptions (organization_id, started_at);
-- list the past due
CREATE INDEX subscriptions_status ON app.subscriptions (status, current_period_end) WHERE status <> 'active';

CREATE TABLE app.invoices (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id    bigint NOT NULL REFERENCES app.organizations,
    subscription_id    bigint,                           -- null: an invoice of its own
    stripe_invoice_id  text NOT NULL UNIQUE,
    number             text,                             -- a draft has none
    status             text NOT NULL,
    amount_due         bigint NOT NULL,                  -- cents
    amount_paid        bigint NOT NULL DEFAULT 0,        -- cents
    currency           text NOT NULL,
    hosted_invoice_url text,
    attempt_count      integer NOT NULL DEFAULT 0,       -- of payment
    due_at             timestamptz,
    paid_at            timestamptz,
    stripe_updated_at  timestamptz NOT NULL,             -- `created` of the newest event applied
    created_at         timestamptz NOT NULL DEFAULT now(),  -- at Stripe
    updated_at         timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT subscription_is_the_organizations FOREIGN KEY (organization_id, subscription_id)
        REFERENCES app.subscriptions (organization_id, id),
    CONSTRAINT status_is_known CHECK (status IN ('draft', 'open', 'paid', 'void', 'uncollectible')),
    CONSTRAINT amounts_are_not_negative CHECK (amount_due >= 0 AND amount_paid >= 0),
    CONSTRAINT currency_is_a_code CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT attempts_are_counted CHECK (attempt_count >= 0),
    CONSTRAINT paid_has_paid_at CHECK ((status = 'paid') = (paid_at IS NOT NULL))
);
COMMENT ON TABLE app.invoices IS 'What each organization was billed, as Stripe last said';
-- list an organization's invoices
CREATE INDEX invoices_organization ON app.invoices (organization_id, created_at DESC);
-- list a subscription's invoices
CREATE INDEX invoices_subscription ON app.invoices (organization_id, subscription_id) WHERE subscription_id IS NOT NULL;
-- list what is overdue
CREATE INDEX invoices_open ON app.invoices (due_at) WHERE status = 'open';

CREATE TRIGGER older_event_is_refused BEFORE UPDATE ON app.subscriptions
FOR EACH ROW WHEN (NEW.stripe_updated_at < OLD.stripe_updated_at) EXECUTE FUNCTION app.refuse_older_event();
CREATE TRIGGER older_event_is_refused BEFORE UPDATE ON app.invoices
FOR EACH ROW WHEN (NEW.stripe_updated_at < OLD.stripe_updated_at) EXECUTE FUNCTION app.refuse_older_event();

-- ---- Mails and webhooks --------------------------------------------------------------------------------------------

CREATE TABLE app.email_deliveries (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider_id   text UNIQUE,                           -- Resend's id of the mail; null until it has been sent
    recipient     text NOT NULL,
    template      text,
    job_id        uuid,
    status        text NOT NULL DEFAULT 'queued',        -- the furthest it came
    detail        text,                                  -- why it bounced, failed or was complained about
    queued_at     timestamptz NOT NULL DEFAULT now(),
    sent_at       timestamptz,
    delayed_at    timestamptz,
    delivered_at  timestamptz,
    opened_at     timestamptz,
    clicked_at    timestamptz,
    bounced_at    timestamptz,
    complained_at timestamptz,
    failed_at     timestamptz,
    last_event_at timestamptz,                           -- at the provider

    CONSTRAINT recipient_is_an_address CHECK (recipient ~ '^[^@\s]+@[^@\s]+$'),
    CONSTRAINT status_is_known CHECK (status IN (
        'queued', 'sent', 'delayed', 'delivered', 'opened', 'clicked', 'bounced', 'complained', 'failed')),
    CONSTRAINT status_has_its_time CHECK (
        CASE status
            WHEN 'sent' THEN sent_at
            WHEN 'delayed' THEN delayed_at
            WHEN 'delivered' THEN delivered_at
            WHEN 'opened' THEN opened_at
            WHEN 'clicked' THEN clicked_at
            WHEN 'bounced' THEN bounced_at
            WHEN 'complained' THEN complained_at
            WHEN 'failed' THEN failed_at
            ELSE queued_at
        END IS NOT NULL),
    CONSTRAINT sent_has_provider_id CHECK (status IN ('queued', 'failed') OR provider_id IS NOT NULL)
);
COMMENT ON TABLE app.email_deliveries IS 'What became of each mail, as Resend''s webhooks tell';
-- show what a person was sent
CREATE INDEX email_deliveries_recipient ON app.email_deliveries (lower(recipient), queued_at DESC);
-- find a job's mail
CREATE INDEX email_deliveries_job ON app.email_deliveries (job_id) WHERE job_id IS NOT NULL;
-- delete what is past its retention
CREATE INDEX email_deliveries_queued ON app.email_deliveries (queued_at);

CREATE TABLE app.email_suppressions (
    email      text PRIMARY KEY,                         -- in lower case
    reason     text NOT NULL,
    detail     text,
    created_at timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT email_is_an_address CHECK (email ~ '^[^@\s]+@[^@\s]+$'),
    CONSTRAINT email_is_lower_case CHECK (email = lower(email)),
    CONSTRAINT reason_is_known CHECK (reason IN ('bounced', 'complained', 'manual'))
);
COMMENT ON TABLE app.email_suppressions IS 'Addresses that get no more mails';

CREATE TABLE app.webhook_events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       text NOT NULL,
    name         text NOT NULL DEFAULT '',               -- of a custom sender; not null, or the key would not be unique
    event_id     text NOT NULL,                          -- the sender's
    event_type   text NOT NULL,
    status       text NOT NULL DEFAULT 'received',
    payload      jsonb NOT NULL,
    ip           inet,
    user_agent   text,
    job_id       uuid,
    error        text,
    occurred_at  timestamptz,                            -- when the sender says it was
    received_at  timestamptz NOT NULL DEFAULT now(),
    processed_at timestamptz,

    UNIQUE (source, name, event_id),
    CONSTRAINT source_is_known CHECK (source IN ('stripe', 'resend', 'github', 'custom')),
    CONSTRAINT custom_has_a_name CHECK ((source = 'custom') = (name <> '')),
    CONSTRAINT event_is_named CHECK (event_id <> '' AND event_type <> ''),
    CONSTRAINT status_is_known CHECK (status IN ('received', 'queued', 'processed', 'ignored', 'failed')),
    CONSTRAINT processed_has_processed_at CHECK (
        (status IN ('processed', 'ignored', 'failed')) = (processed_at IS NOT NULL)),
    CONSTRAINT failed_says_why CHECK (status <> 'failed' OR error IS NOT NULL)
);
COMMENT ON TABLE app.webhook_events IS 'Events received from other systems, each once';
-- list a source's latest; delete what is past its retention
CREATE INDEX webhook_events_received ON app.webhook_events (received_at);
-- list what waits or has failed
CREATE INDEX webhook_events_open ON app.webhook_events (status, received_at) WHERE status IN ('received', 'queued', 'failed');

-- ---- Notifications -------------------------------------------------------------------------------------------------

CREATE TABLE app.notification_preferences (
    user_id           bigint PRIMARY KEY REFERENCES app.users ON DELETE CASCADE,
    channels          text[] NOT NULL DEFAULT '{email,in_app}',
    muted_types       text[] NOT NULL DEFAULT '{}',      -- never adverse_action: the law wants it told
    quiet_hours_start time,                              -- local; from 22:00 to 07:00 passes midnight
    quiet_hours_end   time,
    time_zone         text NOT NULL DEFAULT 'UTC',       -- of the quiet hours
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT channels_are_known CHECK (channels <@ ARRAY['email', 'sms', 'push', 'in_app']),
    CONSTRAINT muted_types_may_be_muted CHECK (muted_types <@ ARRAY['reminder', 'confirmation']),
    CONSTRAINT quiet_hours_are_whole CHECK ((quiet_hours_start IS NULL) = (quiet_hours_end IS NULL)),
    CONSTRAINT quiet_hours_have_length CHECK (quiet_hours_start <> quiet_hours_end),
    CONSTRAINT time_zone_is_known CHECK (timezone(time_zone, timestamptz '2000-01-01Z') IS NOT NULL)
);
COMMENT ON TABLE app.notification_preferences IS 'How and when each person wants to be told';

CREATE TABLE app.notifications (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES app.organizations ON DELETE CASCADE,
    recipient_id    bigint NOT NULL REFERENCES app.users,  -- NO ACTION: a notice is proof; who got one is anonymized
    type            text NOT NULL,
    template_id     text NOT NULL,
    channel         text NOT NULL,
    status          text NOT NULL DEFAULT 'queued',
    subject         text,
    body            text,
    data            jsonb NOT NULL DEFAULT '{}',
    provider_id     text,                                -- of the mail or message, at who sent it
    error           text,                                -- why it failed or was skipped
    job_id          uuid,
    created_at      timestamptz NOT NULL DEFAULT now(),
    sent_at         timestamptz,
    delivered_at    timestamptz,
    read_at         timestamptz,

    UNIQUE (job_id, channel),                            -- a job told twice tells once
    CONSTRAINT type_is_known CHECK (type IN ('adverse_action', 'reminder', 'confirmation')),
    CONSTRAINT template_is_given CHECK (template_id <> ''),
    CONSTRAINT channel_is_known CHECK (channel IN ('email', 'sms', 'push', 'in_app')),
    CONSTRAINT status_is_known CHECK (status IN ('queued', 'sent', 'delivered', 'failed', 'skipped')),
    CONSTRAINT status_has_its_time CHECK (
        CASE status WHEN 'sent' THEN sent_at WHEN 'delivered' THEN delivered_at ELSE created_at END IS NOT NULL),
    CONSTRAINT failed_says_why CHECK (status NOT IN ('failed', 'skipped') OR error IS NOT NULL),
    CONSTRAINT data_is_object CHECK (jsonb_typeof(data) = 'object')
);
COMMENT ON TABLE app.notifications IS 'What each person was told, over which channel';
-- list an organization's notices
CREATE INDEX notifications_organization ON app.notifications (organization_id, created_at DESC);
-- show a person's inbox
CREATE INDEX notifications_recipient ON app.notifications (recipient_id, created_at DESC);
-- count what is unread
CREATE INDEX notifications_unread ON app.notifications (recipient_id) WHERE channel = 'in_app' AND read_at IS NULL;

-- ---- Files in S3 ---------------------------------------------------------------------------------------------------

CREATE TABLE app.exports (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES app.organizations,
    user_id         bigint REFERENCES app.users ON DELETE SET NULL,  -- who asked for it
    entity          text NOT NULL,                       -- what was exported: activity_logs
    format          text NOT NULL,
    bucket          text NOT NULL,
    key             text NOT NULL,
    rows            bigint NOT NULL,
    bytes           bigint NOT NULL,
    checksum        text NOT NULL,                       -- SHA-256 of the file, in hexadecimal
    job_id          uuid NOT NULL UNIQUE,                -- a job run twice writes one
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    deleted_at      timestamptz,                         -- from then on the file is gone

    UNIQUE (bucket, key),
    CONSTRAINT entity_is_a_name CHECK (entity ~ '^[a-z][a-z0-9_]*$'),
    CONSTRAINT format_is_known CHECK (format IN ('csv', 'json', 'jsonl', 'xlsx', 'parquet')),
    CONSTRAINT file_is_named CHECK (bucket <> '' AND key <> ''),
    CONSTRAINT sizes_are_not_negative CHECK (rows >= 0 AND bytes >= 0),
    CONSTRAINT checksum_is_sha256 CHECK (checksum ~ '^[0-9a-f]{64}$'),
    CONSTRAINT expires_after_creation CHECK (expires_at > created_at)
);
COMMENT ON TABLE app.exports IS 'Files of an organization''s rows, until they expire';
-- list an organization's exports
CREATE INDEX exports_organization ON app.exports (organization_id, created_at DESC);
-- delete the files that have expired
CREATE INDEX exports_expired ON app.exports (expires_at) WHERE deleted_at IS NULL;
-- delete a user
CREATE INDEX exports_user ON app.exports (user_id) WHERE user_id IS NOT NULL;

CREATE TABLE app.reports (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES app.organizations,
    user_id         bigint REFERENCES app.users ON DELETE SET NULL,  -- who asked for it
    report_type     text NOT NULL,                       -- revenue
    format          text NOT NULL,
    parameters      jsonb NOT NULL DEFAULT '{}',         -- what it was asked with
    period_start    date,
    period_end      date,                                -- its last day
    bucket          text NOT NULL,
    key             text NOT NULL,
    bytes           bigint NOT NULL,
    checksum        text NOT NULL,                       -- SHA-256 of the file, in hexadecimal
    job_id          uuid NOT NULL UNIQUE,                -- a job run twice writes one
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz NOT NULL,
    deleted_at      timestamptz,                         -- from then on the file is gone

    UNIQUE (bucket, key),
    CONSTRAINT report_type_is_a_name CHECK (report_type ~ '^[a-z][a-z0-9_]*$'),
    CONSTRAINT format_is_known CHECK (format IN ('pdf', 'html', 'csv', 'json', 'xlsx')),
    CONSTRAINT parameters_are_object CHECK (jsonb_typeof(parameters) = 'object'),
    CONSTRAINT period_is_whole CHECK ((period_start IS NULL) = (period_end IS NULL)),
    CONSTRAINT period_has_length CHECK (period_end >= period_start),
    CONSTRAINT file_is_named CHECK (bucket <> '' AND key <> ''),
    CONSTRAINT size_is_not_negative CHECK (bytes >= 0),
    CONSTRAINT checksum_is_sha256 CHECK (checksum ~ '^[0-9a-f]{64}$'),
    CONSTRAINT expires_after_creation CHECK (expires_at > created_at)
);
COMMENT ON TABLE app.reports IS 'Reports as files, until they expire';
-- list an organization's reports
CREATE INDEX reports_organization ON app.reports (organization_id, created_at DESC);
-- delete the files that have expired
CREATE INDEX reports_expired ON app.reports (expires_at) WHERE deleted_at IS NULL;
-- delete a user
CREATE INDEX reports_user ON app.reports (user_id) WHERE user_id IS NOT NULL;

CREATE TRIGGER updated BEFORE UPDATE ON app.users FOR EACH ROW EXECUTE FUNCTION app.note_update();
CREATE TRIGGER updated BEFORE UPDATE ON app.organizations FOR EACH ROW EXECUTE FUNCTION app.note_update();
CREATE TRIGGER updated BEFORE UPDATE ON app.subscriptions FOR EACH ROW EXECUTE FUNCTION app.note_update();
CREATE TRIGGER updated BEFORE UPDATE ON app.invoices FOR EACH ROW EXECUTE FUNCTION app.note_update();
CREATE TRIGGER updated BEFORE UPDATE ON app.notification_preferences FOR EACH ROW EXECUTE FUNCTION app.note_update();
