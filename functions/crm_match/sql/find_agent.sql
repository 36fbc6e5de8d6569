-- Whose leads they are.
SELECT name, email, active
FROM app.agents
WHERE id = %(agent_id)s AND organization_id = %(organization_id)s
