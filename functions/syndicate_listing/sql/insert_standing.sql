-- The row of a listing and a platform that have none yet; nothing for a listing that the organization does not have.
INSERT INTO app.listing_syndications (organization_id, listing_id, platform)
SELECT organization_id, id, %(platform)s
FROM app.listings
WHERE id = %(listing_id)s AND organization_id = %(organization_id)s
ON CONFLICT (listing_id, platform) DO NOTHING
