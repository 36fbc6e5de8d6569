-- The figures of one period.
WITH {homes}
SELECT
    (SELECT count(*) FROM listing WHERE created_at >= %(starts_at)s) AS added,
    (SELECT count(*) FROM market WHERE published_at >= %(starts_at)s) AS published,
    (SELECT count(*) FROM app.applications AS application JOIN listing ON listing.id = application.listing_id
        WHERE application.created_at >= %(starts_at)s AND application.created_at < %(ends_at)s) AS applications,
    (SELECT count(DISTINCT application.listing_id) FROM app.applications AS application
        JOIN listing ON listing.id = application.listing_id
        WHERE application.created_at >= %(starts_at)s AND application.created_at < %(ends_at)s) AS listings_applied_for,
    (SELECT count(*) FROM app.leads AS lead
        WHERE lead.organization_id = %(organization_id)s AND lead.created_at >= %(starts_at)s AND lead.created_at < %(ends_at)s
            AND (%(cities)s::text[] IS NULL OR lead.cities && %(cities)s::text[])) AS leads,
    (SELECT count(*) FROM app.lead_matches AS match JOIN listing ON listing.id = match.listing_id
        WHERE match.created_at >= %(starts_at)s AND match.created_at < %(ends_at)s) AS matches
