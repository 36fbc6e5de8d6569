-- The figures of one period. A mail that a delivery and a notice both tell of is one.
WITH mail AS (
    SELECT provider_id, min(sent_at) AS sent_at
    FROM (
        SELECT delivery.provider_id, delivery.sent_at
        FROM app.email_deliveries AS delivery
        JOIN job_executions AS job ON job.job_id = delivery.job_id
        WHERE job.organization_id = %(organization_id)s AND delivery.sent_at < %(ends_at)s
            AND delivery.queued_at BETWEEN %(starts_at)s - interval '7 days' AND %(ends_at)s  -- for its index
        UNION ALL
        SELECT provider_id, sent_at
        FROM app.notifications
        WHERE organization_id = %(organization_id)s AND channel = 'email' AND sent_at < %(ends_at)s
    ) AS told
    WHERE provider_id IS NOT NULL
    GROUP BY provider_id
), published AS (
    SELECT listing_id, min(published_at) AS published_at
    FROM app.listing_syndications
    WHERE organization_id = %(organization_id)s
    GROUP BY listing_id
)
SELECT
    (SELECT count(*) FROM app.memberships AS membership JOIN app.users ON users.id = membership.user_id
        WHERE membership.organization_id = %(organization_id)s AND users.created_at >= %(starts_at)s AND users.created_at < %(ends_at)s) AS new_users,
    (SELECT count(*) FROM app.memberships
        WHERE organization_id = %(organization_id)s AND created_at >= %(starts_at)s AND created_at < %(ends_at)s)
        AS new_members,
    (SELECT count(*) FROM app.memberships
        WHERE organization_id = %(organization_id)s AND created_at < %(ends_at)s) AS members,
    (SELECT count(DISTINCT user_id) FROM app.activity_logs
        WHERE organization_id = %(organization_id)s AND occurred_at >= %(starts_at)s AND occurred_at < %(ends_at)s)
        AS active_users,
    (SELECT count(*) FROM app.activity_logs
        WHERE organization_id = %(organization_id)s AND occurred_at >= %(starts_at)s AND occurred_at < %(ends_at)s)
        AS activities,
    (SELECT count(*) FROM published WHERE published_at >= %(starts_at)s AND published_at < %(ends_at)s)
        AS listings_published,
    (SELECT count(*) FROM app.applications
        WHERE organization_id = %(organization_id)s AND created_at >= %(starts_at)s AND created_at < %(ends_at)s)
        AS applications,
    (SELECT count(*) FROM mail WHERE sent_at >= %(starts_at)s) AS mails
