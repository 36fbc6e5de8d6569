"""The ping job."""
