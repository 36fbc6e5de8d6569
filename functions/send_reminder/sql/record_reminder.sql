-- Each reminder is sent once; that of missing documents, which somebody asks for, at most once a day.
INSERT INTO app.application_reminders (organization_id, application_id, reminder_type, job_id)
VALUES (%(organization_id)s, %(application_id)s, %(reminder_type)s, %(job_id)s)
ON CONFLICT (application_id, reminder_type) DO UPDATE SET job_id = excluded.job_id, sent_at = excluded.sent_at
WHERE application_reminders.reminder_type = 'missingDocs'
    AND application_reminders.sent_at <= now() - interval '1 day'
