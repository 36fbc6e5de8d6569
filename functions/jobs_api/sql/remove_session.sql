DELETE FROM api_sessions WHERE token_digest = %(token_digest)s
