-- The organization, and who in it asked for the export; no row: there is no such organization.
SELECT member.email, member.name
FROM app.organizations AS organization
LEFT JOIN LATERAL (
    SELECT users.email, users.name
    FROM app.memberships AS membership
    JOIN app.users ON users.id = membership.user_id
    WHERE membership.organization_id = organization.id AND membership.user_id = %(user_id)s
) AS member ON true
WHERE organization.id = %(organization_id)s
