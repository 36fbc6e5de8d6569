-- What of a listing counts for a match, and how a mail calls it.
SELECT
    title, status = 'active' AS active,
    price, bedrooms, bathrooms, city, zip,
    CASE WHEN available_from BETWEEN '0001-01-01' AND '9999-12-31' THEN available_from END AS available_from,
    cats_allowed, dogs_allowed
FROM app.listings
WHERE id = %(listing_id)s AND organization_id = %(organization_id)s
