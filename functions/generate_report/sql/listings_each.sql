-- Each home that was there at the end of the period: those with the most applications first.
WITH {homes}
SELECT
    listing.title,
    listing.city,
    listing.status,
    listing.price AS rent,
    (SELECT count(*) FROM app.applications AS application
        WHERE application.organization_id = %(organization_id)s AND application.listing_id = listing.id
            AND application.created_at >= %(starts_at)s AND application.created_at < %(ends_at)s) AS applications,
    (SELECT count(*) FROM app.lead_matches AS match
        WHERE match.organization_id = %(organization_id)s AND match.listing_id = listing.id
            AND match.created_at < %(ends_at)s) AS matches,
    (SELECT count(*) FROM app.listing_syndications AS advertisement
        WHERE advertisement.listing_id = listing.id AND advertisement.status IN ('published', 'updated')) AS platforms,
    floor(extract(epoch FROM market.until - market.published_at) / 86400)::integer AS days_on_market,
    count(*) OVER () AS total
FROM listing
LEFT JOIN market ON market.listing_id = listing.id
ORDER BY applications DESC, matches DESC, listing.id
LIMIT %(limit)s
