-- Gauges. Each reads a partial index, so its cost follows what is waiting or wrong, not the table's size.
SELECT
    (SELECT count(*) FROM job_executions WHERE status IN ('pending', 'retrying')) AS depth,
    -- A job that runs again is as old as its replay, or each replay would ring the alarm.
    (SELECT coalesce(extract(epoch FROM clock_timestamp()
            - min(greatest(created_at, not_before, CASE WHEN run > 1 THEN updated_at END))), 0)::double precision
        FROM job_executions
        WHERE status = 'pending' AND coalesce(not_before, created_at) <= clock_timestamp()) AS oldest_pending,
    (SELECT count(*) FROM job_executions
        WHERE status = 'processing' AND started_at < statement_timestamp() - interval '10 minutes'
            AND lease_expires_at < statement_timestamp()) AS stuck,
    (SELECT count(*) FROM job_executions WHERE status = 'failed') AS dead_letters,
    (SELECT count(*) FROM job_executions
        WHERE published_at IS NULL AND status IN ('pending', 'retrying')
            AND publish_after <= statement_timestamp()) AS unpublished
