"""Streams an export's rows from Postgres into a file, page by page.

Each page is a statement of its own, so that no lock, snapshot or pooled connection is held for the whole of a long
export, and memory holds a row and a part of the file, however many rows there are.
"""

from __future__ import annotations

from functools import partial

from functions.export_data.query import PAGE, Query
from shared import database
from shared.database import Connection
from shared.jobs.export_data import ExportData, ExportFormat
from shared.storage import Upload
from shared.worker import Job

_NOTHING = b'""'  # the only cell of a line, null: readers of CSV pass over lines without anything


class Cancelled(Exception):
    """The job was cancelled, or another attempt has it: nobody waits for the rest."""


def stream(job: Job[ExportData], query: Query, file: Upload) -> int:
    """Write every row to the file; how many they were.

    Raises Cancelled, DatabaseUnavailable and StorageFailed.
    """
    total, kinds = database.run(partial(_look, query=query))
    if job.payload.format is ExportFormat.CSV:
        file.write(b",".join(column.encode() for column in query.columns) + query.line_end)
    rows, read = 0, PAGE
    after: list[str] | None = None
    while read == PAGE:
        if job.cancelled:
            raise Cancelled
        copy = partial(_copy_page, query=query, kinds=kinds, after=after, file=file)
        read, after = database.attempt(copy, database.connection())  # once: its lines are written
        rows += read
        job.progress(rows, max(total, rows), "rows exported")
    return rows


def _look(connection: Connection, query: Query) -> tuple[int, list[int]]:
    """How many rows there are, and the columns' types."""
    described = connection.execute(query.kinds()).description or []
    counted = connection.execute(query.count()).fetchone() or {"total": 0}
    return counted["total"], [column.type_code for column in described]


def _copy_page(
    connection: Connection, query: Query, kinds: list[int], after: list[str] | None, file: Upload
) -> tuple[int, list[str]]:
    """Write a page's lines to the file; how many they were, and the place of the last."""
    rows, place = 0, list[bytes]()
    with connection.cursor().copy(query.page(kinds, after)) as lines:
        for line in lines:  # each is a row: so the protocol has it
            *place, cells = bytes(line).split(query.separator, query.places)
            file.write((cells[:-1] or _NOTHING) + query.line_end)
            rows += 1
    return rows, [part.decode() for part in place]
