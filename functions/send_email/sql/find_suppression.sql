-- Why and since when an address gets no more mails.
SELECT reason, created_at FROM app.email_suppressions WHERE email = lower(%(recipient)s)
