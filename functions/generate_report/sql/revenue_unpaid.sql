-- What was owed at the end of the period, the longest first.
WITH invoice AS (
    SELECT invoice.*
    FROM app.invoices AS invoice
    LEFT JOIN app.subscriptions AS subscription ON subscription.id = invoice.subscription_id
    WHERE invoice.organization_id = %(organization_id)s
        AND invoice.status NOT IN ('draft', 'void')
        AND invoice.created_at < %(ends_at)s
        AND (%(currencies)s::text[] IS NULL OR invoice.currency = ANY(%(currencies)s))
        AND (%(plans)s::text[] IS NULL OR subscription.plan = ANY(%(plans)s))
)
SELECT
    coalesce(number, stripe_invoice_id) AS number,
    (created_at AT TIME ZONE %(time_zone)s)::date AS billed,
    (due_at AT TIME ZONE %(time_zone)s)::date AS due,
    currency,
    amount_due - CASE WHEN paid_at IS NULL THEN amount_paid ELSE 0 END AS outstanding,
    attempt_count - (status = 'paid')::integer AS failed_payments,
    count(*) OVER () AS total
FROM invoice
WHERE paid_at >= %(ends_at)s OR status = 'open'
ORDER BY coalesce(due_at, created_at), id
LIMIT %(limit)s
