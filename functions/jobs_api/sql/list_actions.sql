-- What was done, latest first; of a job or a schedule, or by keys bound to an organization.
SELECT id, at, key_name, organization_id, via, source_ip, action, target, details, outcome, ended_at
FROM api_actions
WHERE (%(organization_id)s::bigint IS NULL OR organization_id = %(organization_id)s)
    AND (%(target)s::text IS NULL OR target = %(target)s)
    AND (%(before)s::bigint IS NULL OR id < %(before)s)
ORDER BY id DESC
LIMIT %(limit)s
