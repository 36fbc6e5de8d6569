"""The two reference pages, made of the code: its public names and docstrings, and the HTTP API's document."""
