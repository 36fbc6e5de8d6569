"""The integration tests once more, through PgBouncer. Beside them, so that running them does not run this too."""
