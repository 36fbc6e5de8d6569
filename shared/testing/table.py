"""The rows of one test: those of `job_executions` that were accepted since it began. The only module here with SQL."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import class_row, dict_row

from shared import database
from shared.testing.environment import DOMAIN

AnyConnection = psycopg.Connection[Any]
Row = TypeVar("Row")
_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True, slots=True)
class StoredJob:
    """One row; payload and result are JSON, or sealed where they have a key."""

    id: int
    job_id: UUID
    job_type: str
    status: str
    payload: str
    payload_key: str | None
    result: str | None
    result_key: str | None
    error: str | None
    errors: list[dict[str, Any]]
    progress: Any
    user_id: int | None
    organization_id: int | None
    idempotency_key: str | None
    schedule_id: str | None
    batch_id: UUID | None
    run: int
    attempt: int
    max_attempts: int
    publication: int
    publish_options: dict[str, Any]
    failure_callback: str | None
    not_before: datetime | None
    created_at: datetime
    retry_after: float | None  # seconds from the failed attempt to the next


@dataclass(frozen=True, slots=True)
class DueJob:
    """The next attempt to be made, in `wait` seconds."""

    job_id: UUID
    job_type: str
    publication: int
    wait: float


class Table:
    """The rows since now: what is committed, and on a test's own `connection` what that has not committed too.

    Raises RuntimeError where the database is not migrated, or is not one for tests.
    """

    def __init__(self, connection: AnyConnection | None, *, any_database: bool) -> None:
        self._moved: defaultdict[int, float] = defaultdict(float)
        try:
            start = self._rows("find_start", {"ours": f"%.{DOMAIN}/%"}, connection)[0]
        except psycopg.errors.UndefinedTable:
            raise RuntimeError(
                "the database at DATABASE_URL has no job_executions: apply the migrations to it (make migrate)"
            ) from None
        if start["delivered_to"] is not None and not any_database:
            raise RuntimeError(
                f"the database at DATABASE_URL holds jobs that were delivered to {start['delivered_to']}: tests need "
                "one of their own. If it is one, say Jobs(any_database=True)"
            )
        self._since, self._began = start["since"], start["began"]

    def accepted(
        self, connection: AnyConnection | None = None, *, job_id: UUID | None = None, after: int = 0
    ) -> list[StoredJob]:
        """The test's jobs, in their order: the one of this id, or those accepted after the one that was `last`."""
        values = {"since": self._since, "job_id": job_id, "after": after}
        return self._every(StoredJob, "list_accepted", values, connection)

    def last(self) -> int:
        """What is accepted from here on comes after this."""
        last: int = self._rows("find_last", {}, None)[0]["last"]
        return last

    def next_due(self, job_types: Sequence[str] | None) -> DueJob | None:
        """Whose next attempt is due first, of those that are committed."""
        found = self._every(DueJob, "find_next_due", {"since": self._since, "job_types": job_types}, None)
        return found[0] if found else None

    def waiting(self, job_types: Sequence[str] | None, connection: AnyConnection | None = None) -> int:
        """How many jobs have not ended."""
        values = {"since": self._since, "job_types": job_types}
        count: int = self._rows("count_waiting", values, connection)[0]["waiting"]
        return count

    def pretend_attempts(self, job_id: UUID, attempts: int) -> None:
        """Have so many attempts of a job behind it."""
        values = {"job_id": job_id, "attempts": attempts}
        with self._cursor(None) as cursor:
            cursor.execute(_sql("pretend_attempts"), values)

    def set_back(self, seconds: float, connection: AnyConnection | None = None) -> None:
        """Move all that happened since the test began into the past; on `connection` only what it alone sees.

        There the rows stay locked until its transaction ends, and a worker would wait for them.
        """
        moved = self._set_back(seconds, None, [])
        if connection is not None:
            moved += self._set_back(seconds, connection, moved)
        for row_id in moved:
            self._moved[row_id] += seconds

    def _set_back(self, seconds: float, connection: AnyConnection | None, other_than: list[int]) -> list[int]:
        values = {"since": self._since, "seconds": seconds, "other_than": other_than}
        return [row["id"] for row in self._rows("set_back", values, connection)]

    def as_asked(self, job: StoredJob) -> datetime | None:
        """When a job was to run, in the words of its caller: before any time was moved."""
        return None if job.not_before is None else job.not_before + timedelta(seconds=self._moved[job.id])

    def remove(self) -> None:
        """Delete what the test has committed."""
        removed = self._rows("remove_accepted", {"since": self._since}, None)
        batch_ids = [row["batch_id"] for row in removed if row["batch_id"] is not None]
        with self._cursor(None) as cursor:
            cursor.execute(_sql("remove_batches"), {"batch_ids": batch_ids})
            cursor.execute(_sql("remove_kept_payloads"), {"began": self._began})

    def _every(
        self, row: type[Row], name: str, values: Mapping[str, Any], connection: AnyConnection | None
    ) -> list[Row]:
        with self._cursor(connection) as cursor:
            cursor.row_factory = class_row(row)
            return cursor.execute(_sql(name), values).fetchall()

    def _rows(
        self, name: str, values: Mapping[str, Any], connection: AnyConnection | None
    ) -> list[dict[str, Any]]:
        with self._cursor(connection) as cursor:
            return cursor.execute(_sql(name), values).fetchall()

    @contextmanager
    def _cursor(self, connection: AnyConnection | None) -> Iterator[psycopg.Cursor[Any]]:
        used = connection or database.connection()
        # A transaction of its own, or a savepoint of the caller's: none is left open that was not.
        with used.transaction(), used.cursor(row_factory=dict_row) as cursor:
            yield cursor


@cache
def _sql(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text("utf-8")
