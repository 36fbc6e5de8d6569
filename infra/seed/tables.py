"""Rows in the making, and how they get into Postgres: COPY, parents first."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

# In the order in which foreign keys allow to write them.
TABLES = (
    "users", "organizations", "memberships", "notification_preferences", "subscriptions", "invoices", "agents", "listings",
    "listing_syndications", "leads", "lead_matches", "applications", "application_documents", "application_reminders",
    "notifications", "email_deliveries", "email_suppressions", "webhook_events", "exports", "reports", "activity_logs",
)  # fmt: skip
WITHOUT_ID = frozenset({"memberships", "notification_preferences", "email_suppressions"})
Row = dict[str, Any]
Cursor = psycopg.Cursor[TupleRow]


class Tables:
    """Rows that wait to be written. Ids count from 1, so that the same rows have the same ids everywhere."""

    def __init__(self) -> None:
        self._ids: Counter[str] = Counter()
        self._waiting: defaultdict[str, list[Row]] = defaultdict(list)

    def add(self, table: str, **row: Any) -> int:
        """Keep a row; its id (0 for a table without)."""
        number = 0
        if table not in WITHOUT_ID:
            self._ids[table] += 1
            number = self._ids[table]
            row["id"] = number
        self._waiting[table].append(row)
        return number

    def write(self, cursor: Cursor) -> None:
        """COPY what waits, and forget it."""
        for table in TABLES:
            if rows := self._waiting.pop(table, []):
                _copy(cursor, table, rows)


def _copy(cursor: Cursor, table: str, rows: list[Row]) -> None:
    columns = list(rows[0])
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier("app", table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with cursor.copy(command) as copy:
        for row in rows:
            copy.write_row([_value(row[column]) for column in columns])


def _value(value: Any) -> Any:
    return Jsonb(value) if isinstance(value, dict) else value


def restart_ids(cursor: Cursor) -> None:
    """Let each table's next id follow the highest that was written."""
    for table in TABLES:
        if table not in WITHOUT_ID:
            cursor.execute(
                sql.SQL(
                    "SELECT setval(pg_get_serial_sequence(%s, 'id'), coalesce(max(id), 0) + 1, false) FROM {}"
                ).format(sql.Identifier("app", table)),
                [f"app.{table}"],
            )


def analyze(cursor: Cursor) -> None:
    """Let the planner know what was written."""
    for table in TABLES:
        cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("app", table)))


def first_with_rows(cursor: Cursor) -> str | None:
    """The first table that is not empty; None where all are."""
    for table in TABLES:
        found = cursor.execute(
            sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier("app", table))
        ).fetchone()
        if found is not None:
            return table
    return None
