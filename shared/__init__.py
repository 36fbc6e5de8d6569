"""The layer: what producers, workers and the operator's functions share."""
