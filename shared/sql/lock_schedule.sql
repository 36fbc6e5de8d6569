-- Runs of one schedule that arrive at once go one after the other, until the transaction ends. A process that dies in
-- it holds the others up for ten seconds at most.
SELECT set_config('idle_in_transaction_session_timeout', '10s', true),
    pg_advisory_xact_lock(hashtextextended('schedule:' || %(schedule_id)s::text, 0))
