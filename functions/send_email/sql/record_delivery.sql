-- A mail that Resend took. Its webhook may have been quicker; what that wrote stays.
INSERT INTO app.email_deliveries AS mail (provider_id, recipient, template, job_id, status, sent_at)
VALUES (%(provider_id)s, %(recipient)s, %(template)s, %(job_id)s, 'sent', now())
ON CONFLICT (provider_id) DO UPDATE SET
    template = excluded.template, job_id = excluded.job_id, sent_at = coalesce(mail.sent_at, excluded.sent_at)
