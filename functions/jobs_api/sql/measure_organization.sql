-- The gauges, of one organization: its jobs that have not completed, newest `scan` of each status.
SELECT
    (SELECT count(*) FROM (SELECT FROM job_executions
        WHERE organization_id = %(organization_id)s AND status = 'pending' LIMIT %(scan)s) AS one)
    + (SELECT count(*) FROM (SELECT FROM job_executions
        WHERE organization_id = %(organization_id)s AND status = 'retrying' LIMIT %(scan)s) AS one) AS depth,
    (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(greatest(created_at, not_before, replayed_at))), 0)::double precision
        FROM (SELECT created_at, not_before, CASE WHEN run > 1 THEN updated_at END AS replayed_at FROM job_executions
            WHERE organization_id = %(organization_id)s AND status = 'pending'
                AND coalesce(not_before, created_at) <= clock_timestamp()
            ORDER BY created_at LIMIT %(scan)s) AS one) AS oldest_pending,
    (SELECT count(*) FROM job_executions
        WHERE organization_id = %(organization_id)s AND status = 'processing'
            AND started_at < statement_timestamp() - interval '10 minutes'
            AND lease_expires_at < statement_timestamp()) AS stuck,
    (SELECT count(*) FROM (SELECT FROM job_executions
        WHERE organization_id = %(organization_id)s AND status = 'failed' LIMIT %(scan)s) AS one) AS dead_letters,
    (SELECT count(*) FROM (SELECT FROM job_executions
        WHERE organization_id = %(organization_id)s AND status = 'pending' AND published_at IS NULL
            AND publish_after <= statement_timestamp() LIMIT %(scan)s) AS one) AS unpublished
