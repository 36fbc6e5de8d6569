-- find the events of Stripe that were ignored for a reason which no longer holds: a customer or subscription not known yet
CREATE INDEX webhook_events_waiting ON app.webhook_events (error) WHERE source = 'stripe' AND status = 'ignored';
