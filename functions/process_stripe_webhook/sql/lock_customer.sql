-- One event of a customer at a time.
SELECT pg_advisory_xact_lock(hashtextextended('stripe customer ' || %(customer)s::text, 0))
