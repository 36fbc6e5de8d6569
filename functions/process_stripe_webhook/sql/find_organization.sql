-- Whose customer it is.
SELECT id FROM app.organizations WHERE stripe_customer_id = %(customer)s
