"""Benchmarks: what is measured, and against what, is said by each module."""
