-- So many entries for each organization from first to last, from 400 days ago until now, made by the server itself.
-- Everything follows from an entry's number; times are spread evenly and shifted a little.
INSERT INTO app.activity_logs (
    id, organization_id, user_id, action, subject_type, subject_id, source, external_id, data, occurred_at, created_at)
OVERRIDING SYSTEM VALUE
SELECT
    %(after)s + (organization.place - 1) * %(entries)s + entry,
    organization.id,
    CASE WHEN entry %% 10 > 0 THEN member.ids[1 + (entry * 7) %% cardinality(member.ids)] END,
    CASE WHEN entry %% 10 > 0
        THEN (ARRAY['listing.viewed', 'listing.updated', 'listing.shared', 'listing.price_changed',
            'listing.photo_added', 'listing.inquired', 'listing.toured'])[1 + (entry * 3) %% 7]
        ELSE 'invoice.paid' END,
    CASE WHEN entry %% 10 > 0 THEN 'listing' ELSE 'invoice' END,
    CASE WHEN entry %% 10 > 0 THEN listing.ids[1 + (entry * 11) %% cardinality(listing.ids)]::text ELSE hash.id END,
    CASE WHEN entry %% 10 > 0 THEN 'app' ELSE 'stripe' END,
    CASE WHEN entry %% 10 = 0 THEN 'evt_' || hash.id END,
    jsonb_build_object('ip', '203.0.113.' || 1 + entry %% 254, 'requestId', hash.id),
    moment.at,
    moment.at + interval '1 second' * (entry %% 3)
FROM (
    SELECT id, row_number() OVER (ORDER BY id) AS place
    FROM app.organizations WHERE id BETWEEN %(first)s AND %(last)s
) AS organization
CROSS JOIN LATERAL (
    SELECT array_agg(user_id ORDER BY user_id) AS ids FROM app.memberships WHERE organization_id = organization.id
) AS member
CROSS JOIN LATERAL (
    SELECT array_agg(id ORDER BY id) AS ids FROM app.listings WHERE organization_id = organization.id
) AS listing
CROSS JOIN generate_series(1, %(entries)s::bigint) AS entry
CROSS JOIN LATERAL (SELECT left(md5(organization.id || '/' || entry), 20) AS id) AS hash
CROSS JOIN LATERAL (
    SELECT date_trunc('second', %(now)s::timestamptz - interval '400 days' * ((%(entries)s - entry)::float8 / %(entries)s)
        - interval '1 second' * (entry * 7919 %% 600)) AS at
) AS moment
