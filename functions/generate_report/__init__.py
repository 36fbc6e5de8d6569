"""The generate-report job."""
