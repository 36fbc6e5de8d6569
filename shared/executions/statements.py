"""Runs the statements of `shared/sql/`, each by the name of its file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row

from shared.columns import filled_in

AnyConnection = psycopg.Connection[Any]  # a caller's own, whatever its row factory
Row = TypeVar("Row")
ATTEMPT_LOST = (
    "the attempt ended without a word: its process crashed, was killed, or lost its way to Postgres"
)
_SQL = Path(__file__).parent.parent / "sql"
_LONGEST_TEXT = 8_000  # characters


@cache
def sql(name: str) -> str:
    """The text of a statement, as Postgres takes it."""
    return filled_in((_SQL / f"{name}.sql").read_text("utf-8"), "job_executions")


def execute(connection: psycopg.Connection[Row], name: str, values: Mapping[str, Any]) -> psycopg.Cursor[Row]:
    """Run a statement; its rows, if any, are the connection's kind."""
    return connection.execute(sql(name), values)


def one(connection: AnyConnection, row: type[Row], name: str, values: Mapping[str, Any]) -> Row | None:
    """The first row that a statement returns, in this shape."""
    with connection.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(sql(name), values).fetchone()


def every(connection: AnyConnection, row: type[Row], name: str, values: Mapping[str, Any]) -> list[Row]:
    """All rows that a statement returns, in this shape."""
    with connection.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(sql(name), values).fetchall()


def storable(value: object) -> str:
    """An error's words as Postgres can hold them: of bounded length, without NUL or halves of a surrogate pair."""
    text = str(value)
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]} … ({len(text)} characters in all)"
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
