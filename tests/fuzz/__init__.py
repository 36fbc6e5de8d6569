"""Random and mutated requests to the receiver: no 5xx, and no row and no job that should not be there."""
