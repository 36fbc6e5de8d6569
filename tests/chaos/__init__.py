"""Chaos: everything breaks at seeded random moments, and the delivery contract is checked against the database."""
