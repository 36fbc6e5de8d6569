-- Note since when an applicant is reminded, and when that is over.
UPDATE app.applications
SET reminders_started_at = coalesce(reminders_started_at, now()),
    reminders_ended_at = coalesce(reminders_ended_at, CASE WHEN %(ended)s THEN now() END)
WHERE organization_id = %(organization_id)s AND id = %(application_id)s
