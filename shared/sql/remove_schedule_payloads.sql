-- The schedule's messages to come name another payload, or none; one on its way may still name these, so they stay.
UPDATE schedule_payloads
SET removed_at = clock_timestamp()
WHERE schedule_id = %(schedule_id)s AND removed_at IS NULL AND id IS DISTINCT FROM %(payload_id)s::uuid
    AND created_at <= coalesce(
        (SELECT created_at FROM schedule_payloads WHERE id = %(payload_id)s::uuid), clock_timestamp())
