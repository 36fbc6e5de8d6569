-- How a listing stands on each platform that it was ever meant for.
SELECT platform, status, external_id, external_url, feed_checksum, error, job_id
FROM app.listing_syndications
WHERE listing_id = %(listing_id)s AND organization_id = %(organization_id)s
