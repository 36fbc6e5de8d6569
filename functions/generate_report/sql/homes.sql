listing AS (
    SELECT listing.*
    FROM app.listings AS listing
    WHERE listing.organization_id = %(organization_id)s AND listing.created_at < %(ends_at)s
        AND (%(cities)s::text[] IS NULL OR listing.city = ANY(%(cities)s))
        AND (%(platforms)s::text[] IS NULL OR EXISTS (
            SELECT FROM app.listing_syndications AS advertisement
            WHERE advertisement.listing_id = listing.id AND advertisement.platform = ANY(%(platforms)s)))
), market AS (
    -- A home is on the market from its first advertisement until the last was taken down, or until now.
    SELECT
        listing.id AS listing_id,
        min(advertisement.published_at) AS published_at,
        CASE WHEN listing.status = 'active' THEN %(ends_at)s
            ELSE least(coalesce(max(advertisement.removed_at), max(listing.updated_at)), %(ends_at)s) END AS until
    FROM listing
    JOIN app.listing_syndications AS advertisement ON advertisement.listing_id = listing.id
    WHERE advertisement.published_at < %(ends_at)s
    GROUP BY listing.id, listing.status
)
