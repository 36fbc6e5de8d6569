"""What goes wrong when seeding; the message is one line that says what to do."""

from __future__ import annotations


class SeedError(Exception):
    """Nothing was written: the size is no size, or the database holds something else."""
