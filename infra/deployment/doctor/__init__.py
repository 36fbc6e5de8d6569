"""`make doctor`: finds out whether what was deployed is whole, and whether a job gets through it."""
