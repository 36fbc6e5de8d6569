"""The pages: what happens, for people."""
