-- What became of a job's notice on one channel. A later run may turn what did not get through into what did.
INSERT INTO app.notifications (
    organization_id, recipient_id, type, template_id, channel, status, subject, body, data, provider_id, error, job_id,
    sent_at, delivered_at)
VALUES (
    %(organization_id)s, %(recipient_id)s, %(type)s, %(template_id)s, %(channel)s, %(status)s, %(subject)s, %(body)s,
    %(data)s, %(provider_id)s, %(error)s, %(job_id)s,
    CASE WHEN %(status)s = 'sent' THEN now() END, CASE WHEN %(status)s = 'delivered' THEN now() END)
ON CONFLICT (job_id, channel) DO UPDATE SET
    status = excluded.status, provider_id = excluded.provider_id, error = excluded.error, sent_at = excluded.sent_at
WHERE notifications.status IN ('failed', 'skipped')
