-- What of a listing counts for a match, and how a mail calls it.
SELECT
    title, status = 'active' AS active,
    price, bedrooms, bathrooms, city, zip, available_from, cats_allowed, dogs_allowed
FROM app.listings
WHERE id = %(listing_id)s AND organization_id = %(organization_id)s
