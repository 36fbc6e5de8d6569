"""Deletes old rows in batches, each a short transaction of its own.

Not in `job.transaction()`: one transaction of millions of deletes would keep Postgres from cleaning up behind it, hold
locks for minutes, and lose all its work to a crash. What is deleted stays deleted, and another attempt finds the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

from psycopg import sql
from psycopg.errors import QueryCanceled

from functions.cleanup_old_data import archive
from functions.cleanup_old_data.tables import Table
from shared import database
from shared.database import Connection

BATCH = 10_000  # rows
_COUNT = sql.SQL("SELECT count(*) AS count FROM {table} AS old WHERE {condition}")
# The batch is an array, so that it is chosen once. A row that somebody holds is left for another day.
_DELETE = sql.SQL("""DELETE FROM {table} AS old WHERE {key} = ANY(ARRAY(
    SELECT {key} FROM {table} AS old WHERE {condition} ORDER BY {order} LIMIT {batch} FOR UPDATE OF old SKIP LOCKED))""")


@dataclass(frozen=True, slots=True)
class OldRows:
    """A table's rows that are past so many days; one organization's, where one is given.

    `archive` is what the keys of their files begin with; None where they are not kept.
    """

    table: Table
    days: int
    organization_id: int | None
    archive: str | None

    @property
    def name(self) -> str:
        """Theirs in the job's result."""
        return self.table.name

    def count(self) -> int:
        """How many there are. Raises DatabaseUnavailable."""
        counting = self._fill_in(_COUNT, BATCH)
        found = database.run(lambda kept: kept.execute(counting, self._values).fetchone())
        return 0 if found is None else int(found["count"])

    def delete(self) -> Iterator[int]:
        """Delete them, a batch after another; how many each was. Raises DatabaseUnavailable and StorageFailed."""
        size = BATCH
        for number in count(1):
            try:
                batch = partial(self._delete_batch, number=number, size=size)
                deleted = database.attempt(batch, database.connection())
            except QueryCanceled:  # large rows, and more of them than go to S3 within the archive's limit
                if size == 1:
                    raise
                size = max(1, size // 10)
                continue
            yield deleted
            if deleted < size:
                return

    def _delete_batch(self, connection: Connection, number: int, size: int) -> int:
        deletion = self._fill_in(_DELETE, size)
        if self.archive is None:
            return connection.execute(deletion, self._values).rowcount
        return archive.delete(connection, deletion, self._values, f"{self.archive}-{number:05}.jsonl.gz")

    @property
    def _values(self) -> dict[str, Any]:
        return {"days": self.days, "organization_id": self.organization_id}

    def _fill_in(self, statement: sql.SQL, size: int) -> sql.Composed:
        condition: sql.Composable = self.table.old
        if self.organization_id is not None:
            condition = sql.SQL("old.organization_id = %(organization_id)s AND ({})").format(condition)
        return statement.format(
            table=self.table.table,
            key=sql.Identifier("old", "id"),
            order=sql.Identifier("old", self.table.order),
            batch=sql.Literal(size),
            condition=condition,
        )
