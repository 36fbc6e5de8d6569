"""The syndicate-listing job."""
