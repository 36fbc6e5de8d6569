"""Why no job type was made."""

from __future__ import annotations


class Refused(Exception):
    """Nothing was written; the message says why, and what to do."""
