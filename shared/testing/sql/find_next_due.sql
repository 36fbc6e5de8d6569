-- The job whose next attempt is due first, and in how many seconds. As QStash and the sweep would time it: a failed
-- attempt's next follows after QStash's own delay, a lost one's when its lease has expired.
SELECT job_id, job_type, publication, extract(epoch FROM due.at - clock_timestamp())::double precision AS wait
FROM job_executions, LATERAL (SELECT CASE
        WHEN status = 'pending' THEN coalesce(not_before, created_at)
        WHEN status = 'processing' THEN lease_expires_at
        WHEN published_at IS NULL THEN publish_after
        ELSE deliver_by - interval '15 minutes' END AS at) AS due
WHERE id > %(since)s AND status IN ('pending', 'retrying', 'processing')
    AND (%(job_types)s::text[] IS NULL OR job_type = ANY(%(job_types)s))
ORDER BY due.at, id
LIMIT 1
