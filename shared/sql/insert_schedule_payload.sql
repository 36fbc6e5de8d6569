-- Keep a schedule's payload, before QStash is told to name it.
INSERT INTO schedule_payloads (id, schedule_id, payload, payload_key)
VALUES (%(payload_id)s, %(schedule_id)s, %(payload)s, %(payload_key)s)
ON CONFLICT (id) DO NOTHING
