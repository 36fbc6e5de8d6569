-- The application's trade: homes to let, the platforms they are advertised on, who looks for one and who applies.
-- NO ACTION wherever a pair refers to an agent: one who has left is made inactive, and the rows keep their name.

CREATE TABLE app.agents (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES app.organizations ON DELETE CASCADE,
    user_id         bigint,                              -- null: does not sign in
    license         text,
    name            text NOT NULL,
    email           text NOT NULL,
    phone           text,                                -- E.164
    active          boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),

    UNIQUE (organization_id, id),
    UNIQUE (organization_id, user_id),
    CONSTRAINT user_is_a_member FOREIGN KEY (organization_id, user_id)
        REFERENCES app.memberships (organization_id, user_id),
    CONSTRAINT name_is_given CHECK (name <> ''),
    CONSTRAINT email_is_an_address CHECK (email ~ '^[^@\s]+@[^@\s]+$'),
    CONSTRAINT phone_is_e164 CHECK (phone ~ '^\+[1-9][0-9]{6,14}$')
);
COMMENT ON TABLE app.agents IS 'Who lets an organization''s homes and looks after its leads';
-- one agent an address
CREATE UNIQUE INDEX agents_email ON app.agents (organization_id, lower(email));

CREATE TABLE app.listings (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id  bigint NOT NULL REFERENCES app.organizations ON DELETE CASCADE,
    agent_id         bigint NOT NULL,
    status           text NOT NULL DEFAULT 'draft',
    title            text NOT NULL,
    description      text NOT NULL DEFAULT '',
    property_type    text NOT NULL,
    street           text NOT NULL,
    unit             text,
    city             text NOT NULL,
    state            text NOT NULL,
    zip              text NOT NULL,
    latitude         numeric(9, 6),
    longitude        numeric(9, 6),
    price            bigint NOT NULL,                    -- cents a month
    deposit          bigint,                             -- cents
    bedrooms         smallint NOT NULL,                  -- 0: a studio
    bathrooms        numeric(3, 1) NOT NULL,
    square_feet      integer,
    available_from   date,                               -- null: now
    lease_months_min smallint NOT NULL DEFAULT 12,
    lease_months_max smallint,                           -- null: as long as the tenant likes
    cats_allowed     boolean NOT NULL DEFAULT false,
    dogs_allowed     boolean NOT NULL DEFAULT false,
    amenities        text[] NOT NULL DEFAULT '{}',
    photos           jsonb NOT NULL DEFAULT '[]',        -- their URLs, the cover first
    contact_name     text,                               -- these three: the agent's, where null
    contact_email    text,
    contact_phone    text,                               -- E.164
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),  -- the platforms' feeds go by it

    UNIQUE (organization_id, id),
    CONSTRAINT agent_is_the_organizations FOREIGN KEY (organization_id, agent_id)
        REFERENCES app.agents (organization_id, id),
    CONSTRAINT status_is_known CHECK (status IN ('draft', 'active', 'rented', 'withdrawn')),
    CONSTRAINT title_is_given CHECK (title <> ''),
    CONSTRAINT property_type_is_known CHECK (
        property_type IN ('apartment', 'condo', 'townhouse', 'house', 'room')),
    CONSTRAINT address_is_whole CHECK (street <> '' AND city <> ''),
    CONSTRAINT state_is_a_code CHECK (state ~ '^[A-Z]{2}$'),
    CONSTRAINT zip_is_a_code CHECK (zip ~ '^[0-9]{5}(-[0-9]{4})?$'),
    CONSTRAINT place_is_whole CHECK ((latitude IS NULL) = (longitude IS NULL)),
    CONSTRAINT place_is_on_earth CHECK (latitude BETWEEN -90 AND 90 AND longitude BETWEEN -180 AND 180),
    CONSTRAINT price_is_positive CHECK (price > 0),
    CONSTRAINT deposit_is_not_negative CHECK (deposit >= 0),
    CONSTRAINT bedrooms_make_sense CHECK (bedrooms BETWEEN 0 AND 20),
    CONSTRAINT bathrooms_make_sense CHECK (bathrooms BETWEEN 0 AND 20 AND bathrooms % 0.5 = 0),
    CONSTRAINT square_feet_are_positive CHECK (square_feet > 0),
    CONSTRAINT lease_makes_sense CHECK (lease_months_min >= 1 AND lease_months_max >= lease_months_min),
    CONSTRAINT photos_are_urls CHECK (
        CASE WHEN jsonb_typeof(photos) = 'array'
            THEN NOT jsonb_path_exists(photos, 'strict $[*] ? (@.type() <> "string")') ELSE false END),
    CONSTRAINT contact_email_is_an_address CHECK (contact_email ~ '^[^@\s]+@[^@\s]+$'),
    CONSTRAINT contact_phone_is_e164 CHECK (contact_phone ~ '^\+[1-9][0-9]{6,14}$')
);
COMMENT ON TABLE app.listings IS 'Homes to let';
-- list an organization's homes on the market
CREATE INDEX listings_organization ON app.listings (organization_id, status, updated_at DESC);
-- list an agent's homes
CREATE INDEX listings_agent ON app.listings (organization_id, agent_id);

CREATE TABLE app.listing_syndications (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES app.organizations,
    listing_id      bigint NOT NULL,
    platform        text NOT NULL,
    status          text NOT NULL DEFAULT 'pending',
    external_id     text,                                -- the platform's
    external_url    text,
    feed_checksum   text,                                -- of what was sent last: the same again need not be sent
    error           text,
    job_id          uuid,                                -- of the latest attempt
    last_attempt_at timestamptz,
    published_at    timestamptz,                         -- first
    removed_at      timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),

    UNIQUE (listing_id, platform),
    CONSTRAINT listing_is_the_organizations FOREIGN KEY (organization_id, listing_id)
        REFERENCES app.listings (organization_id, id),   -- NO ACTION: it may still be advertised
    CONSTRAINT platform_is_known CHECK (
        platform IN ('zillow', 'apartments', 'craigslist', 'facebook', 'streeteasy', 'realtor')),
    CONSTRAINT status_is_known CHECK (status IN ('pending', 'published', 'updated', 'removed', 'failed')),
    CONSTRAINT published_has_published_at CHECK (status NOT IN ('published', 'updated') OR published_at IS NOT NULL),
    CONSTRAINT removed_has_removed_at CHECK ((status = 'removed') = (removed_at IS NOT NULL)),
    CONSTRAINT failed_says_why CHECK (status <> 'failed' OR error IS NOT NULL)
);
COMMENT ON TABLE app.listing_syndications IS 'Where each home is advertised';
-- list an organization's advertisements, and those that failed
CREATE INDEX listing_syndications_organization ON app.listing_syndications (organization_id, status);
-- delete a listing: is it still advertised?
CREATE INDEX listing_syndications_listing ON app.listing_syndications (organization_id, listing_id);

CREATE TABLE app.leads (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id   bigint NOT NULL REFERENCES app.organizations ON DELETE CASCADE,
    agent_id          bigint NOT NULL,
    status            text NOT NULL DEFAULT 'new',
    name              text NOT NULL,
    email             text NOT NULL,
    phone             text,                              -- E.164
    budget_min        bigint,                            -- cents a month; what is null does not matter to them
    budget_max        bigint,
    bedrooms_min      smallint,
    bedrooms_max      smallint,
    bathrooms_min     numeric(3, 1),
    cities            text[] NOT NULL DEFAULT '{}',      -- none: anywhere
    zips              text[] NOT NULL DEFAULT '{}',
    move_in_from      date,
    move_in_to        date,
    has_cats          boolean NOT NULL DEFAULT false,
    has_dogs          boolean NOT NULL DEFAULT false,
    notes             text,
    last_contacted_at timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),

    UNIQUE (organization_id, id),
    CONSTRAINT agent_is_the_organizations FOREIGN KEY (organization_id, agent_id)
        REFERENCES app.agents (organization_id, id),
    CONSTRAINT status_is_known CHECK (status IN ('new', 'active', 'closed')),
    CONSTRAINT name_is_given CHECK (name <> ''),
    CONSTRAINT email_is_an_address CHECK (email ~ '^[^@\s]+@[^@\s]+$'),
    CONSTRAINT phone_is_e164 CHECK (phone ~ '^\+[1-9][0-9]{6,14}$'),
    CONSTRAINT budget_makes_sense CHECK (budget_min >= 0 AND budget_max >= coalesce(budget_min, 0)),
    CONSTRAINT bedrooms_make_sense CHECK (bedrooms_min >= 0 AND bedrooms_max >= coalesce(bedrooms_min, 0)),
    CONSTRAINT bathrooms_make_sense CHECK (bathrooms_min >= 0),
    CONSTRAINT move_in_makes_sense CHECK (move_in_to >= move_in_from)
);
COMMENT ON TABLE app.leads IS 'People who look for a home, and what they look for';
-- match an agent's open leads
CREATE INDEX leads_agent ON app.leads (organization_id, agent_id, status);

CREATE TABLE app.lead_matches (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES app.organizations ON DELETE CASCADE,
    listing_id      bigint NOT NULL,
    lead_id         bigint NOT NULL,
    agent_id        bigint NOT NULL,                     -- who was told of it
    score           smallint NOT NULL,                   -- 100: all they wish for
    reasons         jsonb NOT NULL DEFAULT '[]',
    job_id          uuid,                                -- of the latest run
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),

    UNIQUE (listing_id, lead_id),
    -- CASCADE, because a match can be computed again
    CONSTRAINT listing_is_the_organizations FOREIGN KEY (organization_id, listing_id)
        REFERENCES app.listings (organization_id, id) ON DELETE CASCADE,
    CONSTRAINT lead_is_the_organizations FOREIGN KEY (organization_id, lead_id)
        REFERENCES app.leads (organization_id, id) ON DELETE CASCADE,
    CONSTRAINT agent_is_the_organizations FOREIGN KEY (organization_id, agent_id)
        REFERENCES app.agents (organization_id, id) ON DELETE CASCADE,
    CONSTRAINT score_is_a_percentage CHECK (score BETWEEN 0 AND 100),
    CONSTRAINT reasons_are_an_array CHECK (jsonb_typeof(reasons) = 'array')
);
COMMENT ON TABLE app.lead_matches IS 'How well each home suits each lead';
-- show a listing's best leads
CREATE INDEX lead_matches_listing ON app.lead_matches (organization_id, listing_id, score DESC);
-- show a lead's best homes
CREATE INDEX lead_matches_lead ON app.lead_matches (organization_id, lead_id, score DESC);
-- show an agent's best matches
CREATE INDEX lead_matches_agent ON app.lead_matches (organization_id, agent_id, score DESC);

CREATE TABLE app.applications (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id      bigint NOT NULL REFERENCES app.organizations ON DELETE CASCADE,
    listing_id           bigint NOT NULL,
    applicant_id         bigint NOT NULL REFERENCES app.users,  -- NO ACTION: who has applied is anonymized
    status               text NOT NULL DEFAULT 'started',
    required_documents   text[] NOT NULL DEFAULT '{}',
    reminders_started_at timestamptz,                    -- from then on the applicant is reminded
    reminders_ended_at   timestamptz,                    -- and from then on no more
    created_at           timestamptz NOT NULL DEFAULT now(),  -- when it was started
    submitted_at         timestamptz,
    decided_at           timestamptz,
    expires_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL DEFAULT now(),

    UNIQUE (organization_id, id),
    CONSTRAINT listing_is_the_organizations FOREIGN KEY (organization_id, listing_id)
        REFERENCES app.listings (organization_id, id),
    CONSTRAINT status_is_known CHECK (status IN (
        'started', 'submitted', 'documents_pending', 'complete', 'approved', 'denied', 'withdrawn', 'expired')),
    CONSTRAINT documents_are_known CHECK (required_documents <@ ARRAY[
        'photo_id', 'pay_stub', 'bank_statement', 'tax_return', 'employment_letter', 'landlord_reference']),
    CONSTRAINT started_is_not_submitted CHECK (status <> 'started' OR submitted_at IS NULL),
    CONSTRAINT submitted_has_submitted_at CHECK (
        status IN ('started', 'withdrawn', 'expired') OR submitted_at IS NOT NULL),
    CONSTRAINT decided_has_decided_at CHECK ((status IN ('approved', 'denied')) = (decided_at IS NOT NULL)),
    CONSTRAINT expires_after_creation CHECK (expires_at > created_at),
    CONSTRAINT times_are_in_order CHECK (submitted_at >= created_at AND decided_at >= submitted_at),
    CONSTRAINT reminders_end_after_start CHECK (
        reminders_ended_at IS NULL OR (reminders_started_at IS NOT NULL AND reminders_ended_at >= reminders_started_at))
);
COMMENT ON TABLE app.applications IS 'Who applies for which home, and how far they are';
-- list a home's applications
CREATE INDEX applications_listing ON app.applications (organization_id, listing_id, status);
-- list a person's applications
CREATE INDEX applications_applicant ON app.applications (applicant_id);
-- one open application a person and home
CREATE UNIQUE INDEX applications_open ON app.applications (listing_id, applicant_id)
    WHERE status IN ('started', 'submitted', 'documents_pending', 'complete');
-- remind of and expire what is not complete
CREATE INDEX applications_incomplete ON app.applications (expires_at) WHERE status IN ('started', 'documents_pending');

CREATE TABLE app.application_documents (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id  bigint NOT NULL REFERENCES app.organizations,
    application_id   bigint NOT NULL,
    kind             text NOT NULL,
    status           text NOT NULL DEFAULT 'requested',
    file_key         text,                               -- in the bucket of uploads
    rejection_reason text,
    requested_at     timestamptz NOT NULL DEFAULT now(),
    received_at      timestamptz,
    reviewed_at      timestamptz,

    UNIQUE (application_id, kind),                       -- one sent again takes the place of the one rejected
    CONSTRAINT application_is_the_organizations FOREIGN KEY (organization_id, application_id)
        REFERENCES app.applications (organization_id, id),  -- NO ACTION: its file goes first
    CONSTRAINT kind_is_known CHECK (kind IN (
        'photo_id', 'pay_stub', 'bank_statement', 'tax_return', 'employment_letter', 'landlord_reference')),
    CONSTRAINT status_is_known CHECK (status IN ('requested', 'received', 'verified', 'rejected')),
    CONSTRAINT received_has_received_at CHECK ((status = 'requested') = (received_at IS NULL)),
    CONSTRAINT reviewed_has_reviewed_at CHECK ((status IN ('verified', 'rejected')) = (reviewed_at IS NOT NULL)),
    CONSTRAINT rejected_says_why CHECK (status <> 'rejected' OR rejection_reason IS NOT NULL),
    CONSTRAINT file_was_received CHECK (file_key IS NULL OR (file_key <> '' AND received_at IS NOT NULL))
);
COMMENT ON TABLE app.application_documents IS 'The documents each application needs, and which are there';
-- list an application's documents
CREATE INDEX application_documents_application ON app.application_documents (organization_id, application_id);

CREATE TABLE app.application_reminders (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES app.organizations ON DELETE CASCADE,
    application_id  bigint NOT NULL,
    reminder_type   text NOT NULL,                       -- as the job's payload names it: day1, missingDocs
    job_id          uuid,
    sent_at         timestamptz NOT NULL DEFAULT now(),

    UNIQUE (application_id, reminder_type),              -- each is sent once
    CONSTRAINT application_is_the_organizations FOREIGN KEY (organization_id, application_id)
        REFERENCES app.applications (organization_id, id) ON DELETE CASCADE,
    CONSTRAINT reminder_type_is_a_name CHECK (reminder_type ~ '^[a-z][A-Za-z0-9]*$')
);
COMMENT ON TABLE app.application_reminders IS 'Which reminders each applicant was sent';
-- list an application's reminders
CREATE INDEX application_reminders_application ON app.application_reminders (organization_id, application_id);

CREATE TRIGGER updated BEFORE UPDATE ON app.agents FOR EACH ROW EXECUTE FUNCTION app.note_update();
CREATE TRIGGER updated BEFORE UPDATE ON app.listings FOR EACH ROW EXECUTE FUNCTION app.note_update();
CREATE TRIGGER updated BEFORE UPDATE ON app.listing_syndications FOR EACH ROW EXECUTE FUNCTION app.note_update();
CREATE TRIGGER updated BEFORE UPDATE ON app.leads FOR EACH ROW EXECUTE FUNCTION app.note_update();
CREATE TRIGGER updated BEFORE UPDATE ON app.lead_matches FOR EACH ROW EXECUTE FUNCTION app.note_update();
CREATE TRIGGER updated BEFORE UPDATE ON app.applications FOR EACH ROW EXECUTE FUNCTION app.note_update();
