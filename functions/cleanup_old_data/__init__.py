"""The cleanup-old-data job."""
