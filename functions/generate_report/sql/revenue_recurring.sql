-- What subscriptions bring a month, in each currency: at the period's ends, and what came and went between them. One
-- counts from when it is paid for, at its price of today, until it has ended. At the end = at the start + new - lost.
WITH paying AS (
    SELECT
        plan,
        currency,
        greatest(started_at, trial_ends_at) AS paid_from,
        coalesce(ended_at, CASE status WHEN 'canceled' THEN canceled_at END, 'infinity') AS paid_until,
        amount::numeric / interval_count * CASE billing_interval
            WHEN 'day' THEN 365.0 / 12 WHEN 'week' THEN 52.0 / 12 WHEN 'month' THEN 1.0 ELSE 1.0 / 12 END AS monthly
    FROM app.subscriptions
    WHERE organization_id = %(organization_id)s
        AND status IN ('active', 'past_due', 'canceled')
        AND (%(currencies)s::text[] IS NULL OR currency = ANY(%(currencies)s))
        AND (%(plans)s::text[] IS NULL OR plan = ANY(%(plans)s))
)
SELECT
    currency,
    round(coalesce(sum(monthly) FILTER (WHERE paid_from < %(starts_at)s AND paid_until >= %(starts_at)s), 0))::bigint
        AS at_start,
    round(coalesce(sum(monthly) FILTER (WHERE paid_from < %(ends_at)s AND paid_until >= %(ends_at)s), 0))::bigint
        AS at_end,
    round(coalesce(sum(monthly) FILTER (WHERE paid_from >= %(starts_at)s AND paid_from < %(ends_at)s), 0))::bigint AS new,
    round(coalesce(sum(monthly) FILTER (WHERE paid_until >= %(starts_at)s AND paid_until < %(ends_at)s), 0))::bigint
        AS lost
FROM paying
WHERE paid_from < paid_until
GROUP BY currency
ORDER BY currency
