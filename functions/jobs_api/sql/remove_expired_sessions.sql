DELETE FROM api_sessions WHERE expires_at <= statement_timestamp()
