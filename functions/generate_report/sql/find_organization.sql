-- The organization, what day it was there when the report was asked for, and who in it asked; no row: there is none.
SELECT
    organization.name,
    organization.time_zone,
    (%(asked_at)s::timestamptz AT TIME ZONE organization.time_zone)::date AS asked_on,
    member.email AS requester_email,
    member.name AS requester_name
FROM app.organizations AS organization
LEFT JOIN LATERAL (
    SELECT users.email, users.name
    FROM app.memberships AS membership
    JOIN app.users ON users.id = membership.user_id
    WHERE membership.organization_id = organization.id AND membership.user_id = %(user_id)s
) AS member ON true
WHERE organization.id = %(organization_id)s
