-- An address that gets no more mails. One that was suppressed before stays so, for the reason it had.
INSERT INTO app.email_suppressions (email, reason, detail, created_at)
VALUES (lower(%(email)s), %(reason)s, %(detail)s, %(at)s)
ON CONFLICT (email) DO NOTHING
