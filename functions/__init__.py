"""One folder, one Lambda, one entry point."""
