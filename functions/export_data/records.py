"""What an export reads and writes in Postgres besides the rows: who asked for it, and the record of the file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from shared import database
from shared.database import Connection

_SQL = Path(__file__).parent / "sql"


class Requester(NamedTuple):
    """Who is told of an export; both are None where no member of the organization asked for it."""

    email: str | None
    name: str | None


def find_requester(organization_id: int, user_id: int | None) -> Requester | None:
    """Who asked; None where there is no such organization. Raises DatabaseUnavailable."""
    asked = {"organization_id": organization_id, "user_id": user_id}
    row = database.run(lambda connection: connection.execute(_sql("find_requester"), asked).fetchone())
    return None if row is None else Requester(**row)


def insert_export(connection: Connection, export: Mapping[str, Any]) -> None:
    """Record a file that is in S3; another run of the same job has replaced the file, and replaces the record."""
    connection.execute(_sql("insert_export"), export)


@cache
def _sql(name: str) -> bytes:
    return (_SQL / f"{name}.sql").read_bytes()
