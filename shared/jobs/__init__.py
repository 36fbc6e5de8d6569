"""One module per job type: its payload model."""
