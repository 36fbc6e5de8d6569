-- An invoice as of one event, unless the row is as of a later one. What is paid or void stays so; of two states of the
-- same moment the one further along counts: any order gives the same row.
INSERT INTO app.invoices AS kept (
    organization_id, subscription_id, stripe_invoice_id, number, status, amount_due, amount_paid, currency,
    hosted_invoice_url, attempt_count, due_at, paid_at, created_at, stripe_updated_at)
VALUES (
    %(organization_id)s, %(subscription_id)s, %(stripe_invoice_id)s, %(number)s, %(status)s, %(amount_due)s,
    %(amount_paid)s, %(currency)s, %(hosted_invoice_url)s, %(attempt_count)s, %(due_at)s, %(paid_at)s, %(created_at)s,
    %(at)s)
ON CONFLICT (stripe_invoice_id) DO UPDATE SET
    subscription_id = excluded.subscription_id,
    number = excluded.number,
    status = excluded.status,
    amount_due = excluded.amount_due,
    amount_paid = excluded.amount_paid,
    currency = excluded.currency,
    hosted_invoice_url = excluded.hosted_invoice_url,
    attempt_count = excluded.attempt_count,
    due_at = excluded.due_at,
    paid_at = excluded.paid_at,
    created_at = excluded.created_at,
    stripe_updated_at = greatest(kept.stripe_updated_at, excluded.stripe_updated_at)
WHERE kept.organization_id = excluded.organization_id
    AND (
        excluded.status IN ('paid', 'void'), excluded.stripe_updated_at,
        array_position(%(statuses)s::text[], excluded.status), excluded.attempt_count, excluded.amount_paid,
        excluded.amount_due
    ) > (
        kept.status IN ('paid', 'void'), kept.stripe_updated_at, array_position(%(statuses)s::text[], kept.status),
        kept.attempt_count, kept.amount_paid, kept.amount_due)
