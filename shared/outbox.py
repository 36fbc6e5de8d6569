"""Jobs that were written inside somebody's open transaction and wait for its commit to be published."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import psycopg

# By connection: the transaction (Postgres's id of it) that wrote last, and its jobs.
_written: WeakKeyDictionary[psycopg.Connection[Any], tuple[str, list[UUID]]] = WeakKeyDictionary()


def add(connection: psycopg.Connection[Any], transaction: str, job_id: UUID) -> None:
    """Remember a job written in this connection's open transaction; those of an earlier one are forgotten."""
    known, job_ids = _written.get(connection, (transaction, []))
    _written[connection] = (transaction, [*(job_ids if known == transaction else []), job_id])


def take(connection: psycopg.Connection[Any]) -> list[UUID]:
    """The jobs of the last transaction that wrote any. It may have rolled some back: look before you publish."""
    return _written.pop(connection, ("", []))[1]
