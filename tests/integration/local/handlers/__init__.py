"""Functions that the local Lambda runs in its tests."""
