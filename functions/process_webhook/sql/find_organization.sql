-- Whether there is such an organization; it cannot be deleted before the transaction ends.
SELECT id FROM app.organizations WHERE id = %(id)s FOR KEY SHARE
