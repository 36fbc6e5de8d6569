-- An organization that has no customer gets this one; one that has another keeps it.
UPDATE app.organizations SET stripe_customer_id = %(customer)s
WHERE id = %(organization_id)s AND stripe_customer_id IS NULL
