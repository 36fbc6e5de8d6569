"""A message's way to its destination: sent, signed, retried, reported."""
