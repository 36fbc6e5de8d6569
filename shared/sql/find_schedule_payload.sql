-- What a schedule's messages name now: the latest that is not removed.
SELECT id, payload::text AS payload, payload_key FROM schedule_payloads
WHERE schedule_id = %(schedule_id)s AND removed_at IS NULL
ORDER BY created_at DESC
LIMIT 1
