"""What surrounds the functions: migrations, the local cloud, events."""
