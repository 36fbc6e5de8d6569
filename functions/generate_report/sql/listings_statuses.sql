-- How many homes have which status now, and how many days they were on the market: the middle one's.
WITH {homes}
SELECT
    status.name AS status,
    count(listing.id) AS listings,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY floor(extract(epoch FROM market.until - market.published_at) / 86400)::integer)
        AS days_on_market
FROM unnest(ARRAY['draft', 'active', 'rented', 'withdrawn']) WITH ORDINALITY AS status (name, place)
LEFT JOIN listing ON listing.status = status.name
LEFT JOIN market ON market.listing_id = listing.id
GROUP BY status.name, status.place
ORDER BY status.place
