-- Events that were ignored for a reason that no longer holds, as the payloads of jobs.
UPDATE app.webhook_events SET status = 'queued', error = NULL, processed_at = NULL
WHERE source = 'stripe' AND status = 'ignored' AND error = %(reason)s
RETURNING
    event_type, event_id, floor(extract(epoch FROM occurred_at))::bigint AS created, ip AS ip_address,
    coalesce(payload #> '{data,object}', payload) AS event_data
