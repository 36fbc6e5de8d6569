-- An agent's open leads and their wishes.
SELECT
    id, name,
    budget_max, bedrooms_min, bedrooms_max, bathrooms_min, cities, zips, move_in_from, move_in_to, has_cats, has_dogs
FROM app.leads
WHERE organization_id = %(organization_id)s AND agent_id = %(agent_id)s AND status IN ('new', 'active')
ORDER BY id
