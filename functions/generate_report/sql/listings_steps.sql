-- What came in each step of the period.
WITH {homes}, step AS (
    SELECT first
    FROM generate_series(
        date_trunc(%(step)s, %(first)s::date::timestamp), %(last)s::date::timestamp, %(step_length)s::interval) AS first
    WHERE first AT TIME ZONE %(time_zone)s < %(ends_at)s  -- what is to come is not nothing
), event AS (
    SELECT 'published' AS kind, published_at AS at FROM market
    UNION ALL
    SELECT 'application', application.created_at
    FROM app.applications AS application JOIN listing ON listing.id = application.listing_id
    UNION ALL
    SELECT 'lead', created_at FROM app.leads
    WHERE organization_id = %(organization_id)s
        AND (%(cities)s::text[] IS NULL OR cities && %(cities)s::text[])
)
SELECT
    greatest(step.first::date, %(first)s::date) AS first,
    count(*) FILTER (WHERE event.kind = 'published') AS published,
    count(*) FILTER (WHERE event.kind = 'application') AS applications,
    count(*) FILTER (WHERE event.kind = 'lead') AS leads
FROM step
LEFT JOIN event ON date_trunc(%(step)s, event.at AT TIME ZONE %(time_zone)s) = step.first
    AND event.at >= %(starts_at)s AND event.at < %(ends_at)s
GROUP BY step.first
ORDER BY step.first
