"""The send-email job."""
