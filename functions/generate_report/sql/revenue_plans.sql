-- What each plan's subscriptions brought a month at the end of the period.
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
SELECT plan, currency, count(*) AS subscriptions, round(sum(monthly))::bigint AS recurring
FROM paying
WHERE paid_from < paid_until AND paid_from < %(ends_at)s AND paid_until >= %(ends_at)s
GROUP BY plan, currency
ORDER BY currency, recurring DESC, plan
