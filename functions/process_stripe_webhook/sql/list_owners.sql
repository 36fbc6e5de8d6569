-- Who pays for an organization.
SELECT owner.id, owner.email, owner.name
FROM app.memberships AS membership
JOIN app.users AS owner ON owner.id = membership.user_id
WHERE membership.organization_id = %(organization_id)s AND membership.role = 'owner'
ORDER BY owner.id
