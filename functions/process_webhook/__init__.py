"""The process-webhook job."""
