-- An agent's open leads and their wishes. A day that is no day of a calendar (infinity) is no wish.
SELECT
    id, name,
    budget_max, bedrooms_min, bedrooms_max, nullif(bathrooms_min, 'NaN') AS bathrooms_min, cities, zips,
    CASE WHEN move_in_from BETWEEN '0001-01-01' AND '9999-12-31' THEN move_in_from END AS move_in_from,
    CASE WHEN move_in_to BETWEEN '0001-01-01' AND '9999-12-31' THEN move_in_to END AS move_in_to,
    has_cats, has_dogs
FROM app.leads
WHERE organization_id = %(organization_id)s AND agent_id = %(agent_id)s AND status IN ('new', 'active')
ORDER BY id
