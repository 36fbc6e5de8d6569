"""Real Postgres."""
