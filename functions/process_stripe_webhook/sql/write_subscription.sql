-- A subscription as of one event, unless the row is as of a later one. What is over stays over; of two states of the same
-- moment the one further along counts, and where even that is the same the rest decides: any order gives the same row.
INSERT INTO app.subscriptions AS kept (
    organization_id, stripe_subscription_id, plan, status, amount, currency, billing_interval, interval_count,
    current_period_start, current_period_end, trial_ends_at, cancel_at_period_end, canceled_at, started_at, ended_at,
    stripe_updated_at)
VALUES (
    %(organization_id)s, %(stripe_subscription_id)s, %(plan)s, %(status)s, %(amount)s, %(currency)s,
    %(billing_interval)s, %(interval_count)s, %(current_period_start)s, %(current_period_end)s, %(trial_ends_at)s,
    %(cancel_at_period_end)s, %(canceled_at)s, %(started_at)s, %(ended_at)s, %(at)s)
ON CONFLICT (stripe_subscription_id) DO UPDATE SET
    plan = excluded.plan,
    status = excluded.status,
    amount = excluded.amount,
    currency = excluded.currency,
    billing_interval = excluded.billing_interval,
    interval_count = excluded.interval_count,
    current_period_start = excluded.current_period_start,
    current_period_end = excluded.current_period_end,
    trial_ends_at = excluded.trial_ends_at,
    cancel_at_period_end = excluded.cancel_at_period_end,
    canceled_at = excluded.canceled_at,
    started_at = excluded.started_at,
    ended_at = excluded.ended_at,
    stripe_updated_at = greatest(kept.stripe_updated_at, excluded.stripe_updated_at)
WHERE kept.organization_id = excluded.organization_id
    AND (
        excluded.ended_at IS NOT NULL, excluded.stripe_updated_at,
        array_position(%(statuses)s::text[], excluded.status), excluded.current_period_end,
        excluded.cancel_at_period_end, excluded.amount, excluded.plan
    ) > (
        kept.ended_at IS NOT NULL, kept.stripe_updated_at, array_position(%(statuses)s::text[], kept.status),
        kept.current_period_end, kept.cancel_at_period_end, kept.amount, kept.plan)
