-- An event of one mail. Its status only moves on, each status has its first event's time: any order gives the same row.
INSERT INTO app.email_deliveries AS mail (
    provider_id, recipient, status, detail, queued_at, sent_at, delayed_at, delivered_at, opened_at, clicked_at,
    bounced_at, complained_at, failed_at, last_event_at)
SELECT
    %(provider_id)s, %(recipient)s, event.status, %(detail)s, %(queued_at)s,
    CASE event.status WHEN 'sent' THEN event.at END,
    CASE event.status WHEN 'delayed' THEN event.at END,
    CASE event.status WHEN 'delivered' THEN event.at END,
    CASE event.status WHEN 'opened' THEN event.at END,
    CASE event.status WHEN 'clicked' THEN event.at END,
    CASE event.status WHEN 'bounced' THEN event.at END,
    CASE event.status WHEN 'complained' THEN event.at END,
    CASE event.status WHEN 'failed' THEN event.at END,
    event.at
FROM (SELECT %(status)s::text AS status, %(at)s::timestamptz AS at) AS event
ON CONFLICT (provider_id) DO UPDATE SET
    (status, detail) = (
        SELECT further.status, further.detail
        FROM (VALUES (mail.status, mail.detail), (excluded.status, excluded.detail)) AS further (status, detail)
        ORDER BY array_position(%(statuses)s::text[], further.status) DESC, further.detail
        LIMIT 1),
    sent_at = least(mail.sent_at, excluded.sent_at),
    delayed_at = least(mail.delayed_at, excluded.delayed_at),
    delivered_at = least(mail.delivered_at, excluded.delivered_at),
    opened_at = least(mail.opened_at, excluded.opened_at),
    clicked_at = least(mail.clicked_at, excluded.clicked_at),
    bounced_at = least(mail.bounced_at, excluded.bounced_at),
    complained_at = least(mail.complained_at, excluded.complained_at),
    failed_at = least(mail.failed_at, excluded.failed_at),
    last_event_at = greatest(mail.last_event_at, excluded.last_event_at)
