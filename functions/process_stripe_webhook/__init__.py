"""The process-stripe-webhook job."""
