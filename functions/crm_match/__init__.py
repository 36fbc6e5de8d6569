"""The crm-match job."""
