"""The receiver under the real runtime client, behind its function URL, with real Postgres and QStash."""
