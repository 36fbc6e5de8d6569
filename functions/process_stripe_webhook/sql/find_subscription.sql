-- A subscription as the events before have left it.
SELECT id, organization_id, plan, status FROM app.subscriptions WHERE stripe_subscription_id = %(stripe_subscription_id)s
