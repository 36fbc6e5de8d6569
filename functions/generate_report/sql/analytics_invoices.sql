-- Invoices paid within the period, in each currency.
SELECT currency, count(*) AS paid, coalesce(sum(amount_paid), 0)::bigint AS collected
FROM app.invoices
WHERE organization_id = %(organization_id)s AND paid_at >= %(starts_at)s AND paid_at < %(ends_at)s
    AND (%(currencies)s::text[] IS NULL OR currency = ANY(%(currencies)s))
GROUP BY currency
ORDER BY currency
