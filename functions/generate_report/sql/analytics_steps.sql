-- What happened in each step of the period.
WITH step AS (
    SELECT first
    FROM generate_series(
        date_trunc(%(step)s, %(first)s::date::timestamp), %(last)s::date::timestamp, %(step_length)s::interval) AS first
    WHERE first AT TIME ZONE %(time_zone)s < %(ends_at)s  -- what is to come is not nothing
), activity AS (
    SELECT date_trunc(%(step)s, occurred_at AT TIME ZONE %(time_zone)s) AS first, count(DISTINCT user_id) AS users, count(*) AS total
    FROM app.activity_logs
    WHERE organization_id = %(organization_id)s AND occurred_at >= %(starts_at)s AND occurred_at < %(ends_at)s
    GROUP BY 1
), published AS (
    SELECT date_trunc(%(step)s, published_at AT TIME ZONE %(time_zone)s) AS first, count(*) AS total
    FROM (
        SELECT min(published_at) AS published_at FROM app.listing_syndications
        WHERE organization_id = %(organization_id)s
        GROUP BY listing_id
    ) AS listing
    WHERE published_at >= %(starts_at)s AND published_at < %(ends_at)s
    GROUP BY 1
), application AS (
    SELECT date_trunc(%(step)s, created_at AT TIME ZONE %(time_zone)s) AS first, count(*) AS total
    FROM app.applications
    WHERE organization_id = %(organization_id)s AND created_at >= %(starts_at)s AND created_at < %(ends_at)s
    GROUP BY 1
), paid AS (
    SELECT date_trunc(%(step)s, paid_at AT TIME ZONE %(time_zone)s) AS first, count(*) AS total
    FROM app.invoices
    WHERE organization_id = %(organization_id)s AND paid_at >= %(starts_at)s AND paid_at < %(ends_at)s
        AND (%(currencies)s::text[] IS NULL OR currency = ANY(%(currencies)s))
    GROUP BY 1
)
SELECT
    greatest(step.first::date, %(first)s::date) AS first,
    coalesce(activity.users, 0) AS active_users,
    coalesce(activity.total, 0) AS activities,
    coalesce(published.total, 0) AS listings_published,
    coalesce(application.total, 0) AS applications,
    coalesce(paid.total, 0) AS invoices_paid
FROM step
LEFT JOIN activity USING (first)
LEFT JOIN published USING (first)
LEFT JOIN application USING (first)
LEFT JOIN paid USING (first)
ORDER BY step.first
