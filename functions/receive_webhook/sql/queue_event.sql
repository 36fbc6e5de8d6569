-- The job that will apply the event, also where an earlier one has failed. What is settled meanwhile stays so.
UPDATE app.webhook_events SET job_id = %(job_id)s, status = 'queued', error = NULL, processed_at = NULL
WHERE source = %(source)s AND name = %(name)s AND event_id = %(event_id)s
    AND status NOT IN ('processed', 'ignored')
