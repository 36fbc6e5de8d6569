"""The send-notification job."""
