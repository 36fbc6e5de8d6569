"""The send-reminder job."""
