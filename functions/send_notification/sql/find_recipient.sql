-- Whom to tell, over what, and until when not to disturb them; nobody from outside the organization.
SELECT
    recipient.id, recipient.name, recipient.email, recipient.phone, organization.name AS organization_name,
    coalesce(preference.channels, '{email,in_app}') AS channels,
    coalesce(preference.muted_types, '{}') AS muted_types,
    suppression.reason AS suppressed,
    ARRAY(
        SELECT channel FROM app.notifications AS told
        WHERE told.job_id = %(job_id)s AND told.status IN ('sent', 'delivered')
    ) AS told_over,
    CASE WHEN quiet.now THEN
        -- Where the clocks change and the local time is skipped or comes twice, this is the later instant: it lies ahead.
        (local.now::date + (preference.quiet_hours_end <= local.now::time)::integer + preference.quiet_hours_end)
            AT TIME ZONE preference.time_zone
    END AS quiet_until
FROM app.users AS recipient
JOIN app.organizations AS organization ON organization.id = %(organization_id)s
LEFT JOIN app.notification_preferences AS preference ON preference.user_id = recipient.id
LEFT JOIN app.email_suppressions AS suppression ON suppression.email = lower(recipient.email),
LATERAL (SELECT %(at)s AT TIME ZONE preference.time_zone AS now) AS local,
LATERAL (
    SELECT CASE WHEN preference.quiet_hours_start < preference.quiet_hours_end
        THEN local.now::time >= preference.quiet_hours_start AND local.now::time < preference.quiet_hours_end
        ELSE local.now::time >= preference.quiet_hours_start OR local.now::time < preference.quiet_hours_end
    END AS now
) AS quiet
WHERE recipient.id = %(recipient_id)s AND (
    EXISTS (
        SELECT FROM app.memberships AS membership
        WHERE membership.organization_id = organization.id AND membership.user_id = recipient.id)
    OR EXISTS (
        SELECT FROM app.applications AS application
        WHERE application.organization_id = organization.id AND application.applicant_id = recipient.id))
