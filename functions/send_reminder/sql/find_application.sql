-- The application named, or the applicant's latest, one that is not complete before others. Locked: two reminders of it
-- are decided one after the other.
SELECT
    application.id, application.applicant_id, listing.title AS listing_title, application.status,
    application.created_at, CASE WHEN application.expires_at < '10000-01-01' THEN application.expires_at END AS expires_at,
    now() AS now,
    application.reminders_ended_at IS NOT NULL AS reminders_ended,
    ARRAY(
        SELECT required.kind
        FROM unnest(application.required_documents) WITH ORDINALITY AS required (kind, place)
        WHERE NOT EXISTS (
            SELECT FROM app.application_documents AS document
            WHERE document.application_id = application.id AND document.kind = required.kind
                AND document.status IN ('received', 'verified'))
        ORDER BY required.place
    ) AS missing
FROM app.applications AS application
JOIN app.listings AS listing
    ON listing.organization_id = application.organization_id AND listing.id = application.listing_id
WHERE application.organization_id = %(organization_id)s AND application.applicant_id = %(applicant_id)s
    AND (%(application_id)s::bigint IS NULL OR application.id = %(application_id)s)
ORDER BY
    application.status IN ('started', 'submitted', 'documents_pending') DESC, application.created_at DESC,
    application.id DESC
LIMIT 1
FOR NO KEY UPDATE OF application
