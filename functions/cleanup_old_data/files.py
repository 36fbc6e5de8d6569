"""Deletes the files of exports and reports that have expired: the file first, then its row says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from psycopg import sql

from shared import database, storage
from shared.database import Connection

FILES = ("exports", "reports")
BATCH = 1_000  # S3 deletes as many at once
_EXPIRED = sql.SQL("""deleted_at IS NULL AND expires_at < now() AND bucket = %(bucket)s
    AND (%(organization_id)s::bigint IS NULL OR organization_id = %(organization_id)s)""")
_COUNT = sql.SQL("SELECT count(*) AS count FROM {table} WHERE {expired}")
_FIND = sql.SQL("SELECT id, key FROM {table} WHERE {expired} ORDER BY expires_at LIMIT {batch}")
_MARK = sql.SQL("UPDATE {table} SET deleted_at = clock_timestamp() WHERE id = ANY(%(ids)s)")


@dataclass(frozen=True, slots=True)
class ExpiredFiles:
    """The files that one table's rows name; one organization's, where one is given."""

    name: str
    organization_id: int | None

    def count(self) -> int:
        """How many there are. Raises DatabaseUnavailable."""
        found: int = database.run(partial(self._rows, statement=_COUNT))[0]["count"]
        return found

    def delete(self) -> Iterator[int]:
        """Delete them, a batch after another; how many each was. Raises DatabaseUnavailable and StorageFailed."""
        deleted = BATCH
        while deleted == BATCH:
            expired = database.run(partial(self._rows, statement=_FIND))
            storage.delete(row["key"] for row in expired)
            database.run(partial(self._mark, ids=[row["id"] for row in expired]))
            deleted = len(expired)
            yield deleted

    def _rows(self, connection: Connection, statement: sql.SQL) -> list[dict[str, Any]]:
        values = {"bucket": storage.bucket(), "organization_id": self.organization_id}
        return connection.execute(self._fill_in(statement), values).fetchall()

    def _mark(self, connection: Connection, ids: list[int]) -> None:
        connection.execute(self._fill_in(_MARK), {"ids": ids})

    def _fill_in(self, statement: sql.SQL) -> sql.Composed:
        table = sql.Identifier("app", self.name)
        return statement.format(table=table, expired=_EXPIRED, batch=sql.Literal(BATCH))
