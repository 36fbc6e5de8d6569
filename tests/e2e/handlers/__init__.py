"""Workers of the tests, run under the real runtime."""
