"""The activity logs: so many that Postgres makes them itself."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from infra.seed.sizes import LOGS_PER_ORGANIZATION, Size
from infra.seed.tables import Cursor

_INSERT = (Path(__file__).parent / "activity_logs.sql").read_text("utf-8").encode()


def write_activity(cursor: Cursor, size: Size, now: datetime) -> None:
    """The first organization's, as many as are wanted to export, and the same few of each other."""
    _write(cursor, now, first=1, last=1, entries=size.export_rows, after=0)
    _write(
        cursor, now, first=2, last=size.organizations, entries=LOGS_PER_ORGANIZATION, after=size.export_rows
    )


def _write(cursor: Cursor, now: datetime, *, first: int, last: int, entries: int, after: int) -> None:
    """From one organization to another; ids follow `after`."""
    values = {"now": now, "first": first, "last": last, "entries": entries, "after": after}
    cursor.execute(_INSERT, values)
