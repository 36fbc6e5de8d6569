INSERT INTO api_sessions (token_digest, key_name, key_digest, expires_at)
VALUES (%(token_digest)s, %(key_name)s, %(key_digest)s, clock_timestamp() + make_interval(secs => %(seconds)s))
