-- Payloads that schedules of a test have kept.
DELETE FROM schedule_payloads WHERE created_at >= %(began)s
