"""The export-data job."""
