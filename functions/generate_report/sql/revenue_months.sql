-- Each month in each currency: what subscriptions brought at its end, and what was billed and paid in it.
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
), invoice AS (
    SELECT invoice.*
    FROM app.invoices AS invoice
    LEFT JOIN app.subscriptions AS subscription ON subscription.id = invoice.subscription_id
    WHERE invoice.organization_id = %(organization_id)s
        AND invoice.status NOT IN ('draft', 'void')
        AND invoice.created_at < %(ends_at)s
        AND (%(currencies)s::text[] IS NULL OR invoice.currency = ANY(%(currencies)s))
        AND (%(plans)s::text[] IS NULL OR subscription.plan = ANY(%(plans)s))
), month AS (
    SELECT
        first AS month,
        first AT TIME ZONE %(time_zone)s AS starts_at,
        least((first + interval '1 month') AT TIME ZONE %(time_zone)s, %(ends_at)s) AS ends_at
    FROM generate_series(%(trend_from)s::date::timestamp, %(last)s::date::timestamp, interval '1 month') AS first
    WHERE first AT TIME ZONE %(time_zone)s < %(ends_at)s
), currency AS (
    SELECT currency FROM paying UNION SELECT currency FROM invoice
)
SELECT
    month.month::date AS month,
    currency.currency,
    coalesce(recurring.amount, 0)::bigint AS recurring,
    recurring.subscriptions,
    coalesce(billed.invoiced, 0)::bigint AS invoiced,
    coalesce(billed.collected, 0)::bigint AS collected
FROM month
CROSS JOIN currency
CROSS JOIN LATERAL (
    SELECT round(sum(paying.monthly)) AS amount, count(*) AS subscriptions
    FROM paying
    WHERE paying.currency = currency.currency AND paying.paid_from < paying.paid_until
        AND paying.paid_from < month.ends_at AND paying.paid_until >= month.ends_at
) AS recurring
CROSS JOIN LATERAL (
    SELECT
        sum(invoice.amount_due) FILTER (WHERE invoice.created_at >= month.starts_at AND invoice.created_at < month.ends_at)
            AS invoiced,
        sum(invoice.amount_paid) FILTER (WHERE invoice.paid_at >= month.starts_at AND invoice.paid_at < month.ends_at)
            AS collected
    FROM invoice
    WHERE invoice.currency = currency.currency
) AS billed
ORDER BY currency.currency, month.month
