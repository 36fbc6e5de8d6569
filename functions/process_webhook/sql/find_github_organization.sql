-- The organization that a GitHub account is; it cannot be deleted before the transaction ends.
SELECT id FROM app.organizations WHERE github_account_id = %(account_id)s FOR KEY SHARE
