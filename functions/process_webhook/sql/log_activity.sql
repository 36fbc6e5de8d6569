-- What happened at GitHub; each delivery once.
INSERT INTO app.activity_logs (
    organization_id, action, subject_type, subject_id, source, external_id, data, occurred_at)
VALUES (
    %(organization_id)s, %(action)s, %(subject_type)s, %(subject_id)s, 'github', %(external_id)s, %(data)s,
    %(occurred_at)s)
ON CONFLICT (source, external_id) WHERE external_id IS NOT NULL DO NOTHING
