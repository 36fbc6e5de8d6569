-- How a listing stands on a platform now, after this job.
UPDATE app.listing_syndications
SET status = %(status)s,
    external_id = %(external_id)s,
    external_url = %(external_url)s,
    feed_checksum = %(feed_checksum)s,
    error = %(error)s,
    job_id = %(job_id)s,
    last_attempt_at = clock_timestamp(),
    published_at = CASE
        WHEN %(status)s IN ('published', 'updated') THEN coalesce(published_at, clock_timestamp())
        ELSE published_at END,
    removed_at = CASE WHEN %(status)s = 'removed' THEN clock_timestamp() END
WHERE listing_id = %(listing_id)s AND platform = %(platform)s AND organization_id = %(organization_id)s
