-- The next organizations, and who is told: the owner, or of several the first.
SELECT
    organization.id,
    (
        SELECT membership.user_id
        FROM app.memberships AS membership
        WHERE membership.organization_id = organization.id AND membership.role = 'owner'
        ORDER BY membership.created_at, membership.user_id
        LIMIT 1
    ) AS owner_id
FROM app.organizations AS organization
WHERE organization.id > coalesce(%(after)s::bigint, 0)
ORDER BY organization.id
LIMIT %(limit)s
