SELECT key_name, key_digest FROM api_sessions
WHERE token_digest = %(token_digest)s AND expires_at > statement_timestamp()
