-- An event, unless it is there already: once a source, sender and id. Of two at once the second waits for the first.
INSERT INTO app.webhook_events (
    source, name, event_id, event_type, status, payload, ip, user_agent, error, occurred_at, processed_at)
VALUES (
    %(source)s, %(name)s, %(event_id)s, %(event_type)s, %(status)s, %(payload)s::jsonb, %(ip)s, %(user_agent)s,
    %(reason)s, %(occurred_at)s, CASE WHEN %(status)s = 'ignored' THEN clock_timestamp() END)
ON CONFLICT (source, name, event_id) DO NOTHING
RETURNING id
