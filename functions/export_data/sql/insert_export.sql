INSERT INTO app.exports (
    organization_id, user_id, entity, format, bucket, key, rows, bytes, checksum, job_id, expires_at)
VALUES (
    %(organization_id)s, (SELECT id FROM app.users WHERE id = %(user_id)s), %(entity)s, %(format)s, %(bucket)s, %(key)s,
    %(rows)s, %(bytes)s, %(checksum)s, %(job_id)s, %(expires_at)s)
ON CONFLICT (job_id) DO UPDATE SET
    rows = excluded.rows, bytes = excluded.bytes, checksum = excluded.checksum, expires_at = excluded.expires_at,
    deleted_at = NULL
