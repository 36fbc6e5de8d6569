"""The rows that a report is made of, all as of one moment in Postgres."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from shared.database import Connection

Row = dict[str, Any]
_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Runs the report's statements, each a file, with the report's values."""

    connection: Connection
    values: Mapping[str, Any]

    def rows(self, name: str, **values: Any) -> list[Row]:
        """All rows of the statement in `sql/{name}.sql`."""
        return self.connection.execute(statement(name), {**self.values, **values}).fetchall()


@contextmanager
def snapshot(connection: Connection, values: Mapping[str, Any]) -> Iterator[Snapshot]:
    """A transaction in which no statement sees what another did not."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield Snapshot(connection, values)


@cache
def statement(name: str) -> bytes:
    """The statement of this name. `{homes}` in one stands for homes.sql: the listings it counts, and when on the market."""
    text = _read(name)
    return text.replace("{homes}", _read("homes").rstrip()).encode()


def _read(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text("utf-8")
