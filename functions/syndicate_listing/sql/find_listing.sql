-- A listing with the names that feeds give beside it; its agent answers for it where it names nobody.
SELECT
    listing.id, listing.organization_id, organization.name AS organization, listing.status, listing.title,
    listing.description, listing.property_type, listing.street, listing.unit, listing.city, listing.state, listing.zip,
    listing.latitude, listing.longitude, listing.price, listing.deposit, listing.bedrooms, listing.bathrooms,
    listing.square_feet,
    CASE WHEN listing.available_from BETWEEN '0001-01-01' AND '9999-12-31' THEN listing.available_from END AS available_from,
    listing.lease_months_min, listing.lease_months_max,
    listing.cats_allowed, listing.dogs_allowed, listing.amenities, listing.photos, listing.agent_id,
    coalesce(listing.contact_name, agent.name) AS contact_name,
    coalesce(listing.contact_email, agent.email) AS contact_email,
    coalesce(listing.contact_phone, agent.phone) AS contact_phone,
    listing.updated_at
FROM app.listings AS listing
JOIN app.agents AS agent ON (agent.organization_id, agent.id) = (listing.organization_id, listing.agent_id)
JOIN app.organizations AS organization ON organization.id = listing.organization_id
WHERE listing.id = %(id)s AND listing.organization_id = %(organization_id)s
