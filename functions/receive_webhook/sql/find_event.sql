-- What became of an event that was recorded before.
SELECT status, job_id FROM app.webhook_events
WHERE source = %(source)s AND name = %(name)s AND event_id = %(event_id)s
