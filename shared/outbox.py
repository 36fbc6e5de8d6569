"""Jobs that were written inside somebody's open transaction and wait for its commit to be published."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg

_written: WeakKeyDictionary[psycopg.Connection[Any], list[UUID]] = WeakKeyDictionary()


def add(connection: psycopg.Connection[Any], job_id: UUID) -> None:
    """Remember a job written in this connection's open transaction."""
    _written.setdefault(connection, []).append(job_id)


def take(connection: psycopg.Connection[Any]) -> list[UUID]:
    """The jobs written since the last call. Those of a rolled-back transaction are among them: look before you publish."""
    return _written.pop(connection, [])
