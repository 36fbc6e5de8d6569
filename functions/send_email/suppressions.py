"""Which addresses get no more mails."""

from __future__ import annotations

from pathlib import Path

from shared.database import Connection
from shared.emails.wording import day

_FIND_SUPPRESSION = (Path(__file__).parent / "sql" / "find_suppression.sql").read_bytes()
_WORDS = {"bounced": "hard bounce", "complained": "complaint", "manual": "taken off by hand"}


def find_suppression(connection: Connection, recipient: str) -> str | None:
    """Why an address gets no more mails, in words; None if it does."""
    row = connection.execute(_FIND_SUPPRESSION, {"recipient": recipient}).fetchone()
    return None if row is None else f"{_WORDS[row['reason']]} on {day(row['created_at'])}"
