"""`make jobs` and `python -m infra.cli`: jobs from a terminal, over the HTTP API and with the rights of an API key."""
