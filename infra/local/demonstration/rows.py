"""The rows that the jobs have written, kept as files: the demonstration's database stops with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.rows import dict_row, scalar_row

from shared import executions

# In a new database transactions count up from one, and a row says which one wrote it last.
_NEXT_TRANSACTION = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'app' AND table_type = 'BASE TABLE'"
_WRITTEN = sql.SQL("SELECT to_jsonb(kept) FROM app.{} AS kept WHERE kept.xmin::text::bigint >= %s")


@dataclass(frozen=True, slots=True)
class Rows:
    """What is written to the application's tables from this transaction on, and every job."""

    database_url: str
    since: int

    @classmethod
    def from_now_on(cls, database_url: str) -> Self:
        """All that is written after this."""
        with psycopg.connect(database_url, row_factory=scalar_row) as connection:
            since = connection.execute(_NEXT_TRANSACTION).fetchone()
        return cls(database_url, int(since or 0))

    def save(self, folder: Path) -> set[str]:
        """Write a file for each table that has such rows, and one for the jobs; the tables' names."""
        folder.mkdir(parents=True)
        saved = set()
        for table, rows in self._written():
            content = json.dumps(rows, indent=2, ensure_ascii=False, default=str)
            (folder / f"{table}.json").write_text(content, "utf-8")
            saved.add(table)
        return saved

    def _written(self) -> Iterator[tuple[str, list[Any]]]:
        with psycopg.connect(self.database_url, row_factory=scalar_row) as connection:
            for table in connection.execute(_TABLES).fetchall():
                written = _WRITTEN.format(sql.Identifier(table))
                if rows := connection.execute(written, [self.since]).fetchall():
                    yield table, rows
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            # As everybody may see them: without what a sensitive job was given and has returned.
            yield "job_executions", [asdict(job) for job in executions.latest(connection, limit=1000)]
