-- Applications that have been incomplete for a day, and whose applicants were not reminded yet.
SELECT application.id, application.organization_id, application.applicant_id
FROM app.applications AS application
WHERE application.status IN ('started', 'documents_pending')
    AND application.created_at <= now() - interval '1 day' AND application.expires_at > now()
    AND application.reminders_ended_at IS NULL
    AND application.id > %(after)s
    AND (%(organization_id)s::bigint IS NULL OR application.organization_id = %(organization_id)s)
    AND NOT EXISTS (
        SELECT FROM app.application_reminders AS reminder
        WHERE reminder.application_id = application.id AND reminder.reminder_type <> 'missingDocs')
ORDER BY application.id
LIMIT %(limit)s
