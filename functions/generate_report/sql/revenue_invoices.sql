-- What was billed and paid within the period, and what was still owed at its end, in each currency.
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
    currency,
    coalesce(sum(amount_due) FILTER (WHERE created_at >= %(starts_at)s), 0)::bigint AS invoiced,
    coalesce(sum(amount_paid) FILTER (WHERE paid_at >= %(starts_at)s AND paid_at < %(ends_at)s), 0)::bigint AS collected,
    count(*) FILTER (WHERE paid_at >= %(starts_at)s AND paid_at < %(ends_at)s) AS paid,
    coalesce(sum(amount_due - CASE WHEN paid_at IS NULL THEN amount_paid ELSE 0 END)
        FILTER (WHERE paid_at >= %(ends_at)s OR status = 'open'), 0)::bigint AS outstanding,
    coalesce(sum(attempt_count - (status = 'paid')::integer) FILTER (WHERE created_at >= %(starts_at)s AND attempt_count > 0), 0)
        AS failed_payments
FROM invoice
GROUP BY currency
ORDER BY currency
