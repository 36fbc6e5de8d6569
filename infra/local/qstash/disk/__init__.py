"""A file that keeps all state over a restart: a journal that writes to SQLite, and what reads it again."""
