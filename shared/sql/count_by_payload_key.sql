-- What is sealed under each key: jobs' payloads and results, payloads that schedules use, and batches' jobs to be.
SELECT key_id, count(*) FILTER (WHERE of_what = 'job') AS jobs,
    count(*) FILTER (WHERE of_what = 'job' AND unfinished) AS unfinished_jobs,
    count(*) FILTER (WHERE of_what = 'schedule') AS schedules,
    count(*) FILTER (WHERE of_what = 'batch') AS batches
FROM (
    SELECT payload_key AS key_id, 'job' AS of_what, completed_at IS NULL AS unfinished
    FROM job_executions WHERE payload_key IS NOT NULL
    UNION ALL
    SELECT result_key, 'job', completed_at IS NULL
    FROM job_executions WHERE result_key IS NOT NULL AND result_key IS DISTINCT FROM payload_key
    UNION ALL
    SELECT payload_key, 'schedule', false FROM schedule_payloads WHERE payload_key IS NOT NULL
    UNION ALL
    SELECT then_job ->> 'payload_key', 'batch', false
    FROM job_batches WHERE fired_at IS NULL AND then_job ->> 'payload_key' IS NOT NULL) AS sealed
GROUP BY key_id
ORDER BY key_id
