-- How the homes' advertisements stand on each platform now.
WITH listing AS (
    SELECT listing.*
    FROM app.listings AS listing
    WHERE listing.organization_id = %(organization_id)s AND listing.created_at < %(ends_at)s
        AND (%(cities)s::text[] IS NULL OR listing.city = ANY(%(cities)s))
        AND (%(platforms)s::text[] IS NULL OR EXISTS (
            SELECT FROM app.listing_syndications AS advertisement
            WHERE advertisement.listing_id = listing.id AND advertisement.platform = ANY(%(platforms)s)))
)
SELECT
    advertisement.platform,
    count(*) FILTER (WHERE advertisement.status IN ('published', 'updated')) AS live,
    count(*) FILTER (WHERE advertisement.status = 'pending') AS pending,
    count(*) FILTER (WHERE advertisement.status = 'failed') AS failed,
    count(*) FILTER (WHERE advertisement.status = 'removed') AS removed
FROM app.listing_syndications AS advertisement
JOIN listing ON listing.id = advertisement.listing_id
WHERE advertisement.organization_id = %(organization_id)s AND advertisement.created_at < %(ends_at)s
    AND (%(platforms)s::text[] IS NULL OR advertisement.platform = ANY(%(platforms)s))
GROUP BY advertisement.platform
ORDER BY advertisement.platform
