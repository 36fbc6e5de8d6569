-- How a listing stands on a platform. Whoever has the row has the turn: nobody else sends this listing there.
SELECT status, external_id, external_url, feed_checksum, error, job_id
FROM app.listing_syndications
WHERE listing_id = %(listing_id)s AND platform = %(platform)s AND organization_id = %(organization_id)s
FOR NO KEY UPDATE
