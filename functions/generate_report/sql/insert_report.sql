INSERT INTO app.reports (
    organization_id, user_id, report_type, format, parameters, period_start, period_end, bucket, key, bytes, checksum,
    job_id, expires_at)
VALUES (
    %(organization_id)s, (SELECT id FROM app.users WHERE id = %(user_id)s), %(report_type)s, %(format)s, %(parameters)s,
    %(period_start)s, %(period_end)s, %(bucket)s, %(key)s, %(bytes)s, %(checksum)s, %(job_id)s, %(expires_at)s)
ON CONFLICT (job_id) DO UPDATE SET
    report_type = excluded.report_type, format = excluded.format, parameters = excluded.parameters,
    period_start = excluded.period_start, period_end = excluded.period_end, bucket = excluded.bucket,
    key = excluded.key, bytes = excluded.bytes, checksum = excluded.checksum, expires_at = excluded.expires_at,
    deleted_at = NULL
