"""The whole local cloud with real runtime processes."""
