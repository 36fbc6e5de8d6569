"""Connections to Postgres that survive what Lambda does to them: frozen for minutes, thawed onto a dead socket.

Each thread keeps its connections between invocations, in autocommit mode. They ask nothing of a pooler in
transaction mode: no startup options, no session state, no server-side prepared statements.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from selectors import EVENT_READ, DefaultSelector
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from shared import secrets
from shared.errors import DatabaseUnavailable

Connection = psycopg.Connection[DictRow]
T = TypeVar("T")

_IDLE_SECONDS = 30.0
_CANCEL_SECONDS, _CANCEL_AGAIN_SECONDS = 1.0, 0.1
_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "row_factory": dict_row,
    "prepare_threshold": None,
    "connect_timeout": 3,
    "tcp_user_timeout": 5_000,  # milliseconds until an unacknowledged write means a dead peer
    "keepalives_idle": 10,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "application_name": "posthaste",
}


@dataclass(slots=True)
class _Kept:
    connection: Connection
    used_at: float  # wall clock: a monotonic one may stand still while a Lambda is frozen
    pid: int = field(default_factory=os.getpid)

    @property
    def usable(self) -> bool:
        idle = time.time() - self.used_at
        whole = (
            not self.connection.closed and self.connection.info.transaction_status is TransactionStatus.IDLE
        )
        return whole and 0 <= idle <= _IDLE_SECONDS and self.pid == os.getpid()


class _Connections(list[_Kept]):
    """A thread's connections; they are closed when the thread ends."""

    def __del__(self) -> None:
        for kept in self:
            _release(kept)


class _Thread(threading.local):
    def __init__(self) -> None:
        self.kept = _Connections()


_thread = _Thread()


def connect() -> Connection:
    """A new connection, the caller's to close. Raises DatabaseUnavailable or SecretUnavailable."""
    try:
        return _connect()
    except psycopg.ProgrammingError:  # its words would show the password
        raise DatabaseUnavailable(
            "DATABASE_URL is no connection string: postgresql://user:password@host/name"
        ) from None
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        if secrets.refresh():  # the password may have been rotated
            with suppress(psycopg.OperationalError, psycopg.InterfaceError):
                return _connect()
        raise DatabaseUnavailable(
            f"cannot connect to Postgres: {_first_line(error)} (is it up, and DATABASE_URL right?)"
        ) from error


def connection() -> Connection:
    """A connection of this thread's, opened anew where it broke, lay idle for 30 s, or was left in mid-command.

    Raises DatabaseUnavailable.
    """
    for kept in list(_thread.kept):
        if kept.usable:
            kept.used_at = time.time()
            return kept.connection
        _drop(kept)
    fresh = connect()
    _thread.kept.append(_Kept(fresh, time.time()))
    return fresh


def borrow(connection: Connection) -> Connection:
    """Make a kept connection the caller's alone until `give_back`, in whatever thread."""
    _thread.kept[:] = [kept for kept in _thread.kept if kept.connection is not connection]
    return connection


def give_back(borrowed: Connection) -> None:
    """Keep a borrowed connection for the next use, if it is whole and idle; else close it."""
    kept = _Kept(borrowed, time.time())
    if kept.usable:
        _thread.kept.append(kept)
    else:
        close(borrowed)


def discard() -> None:
    """Close this thread's connections; the next use opens others."""
    while _thread.kept:
        _drop(_thread.kept[-1])


def run(work: Callable[[Connection], T]) -> T:
    """`work` on a kept connection; once more on a new one if that turns out to be dead.

    `work` must be harmless to repeat, which every guarded statement is. Raises DatabaseUnavailable.

        >>> run(lambda connection: executions.find(connection, job_id)).status  # doctest: +SKIP
        'completed'
    """
    was_kept = bool(_thread.kept)
    try:
        return attempt(work, connection())
    except DatabaseUnavailable:
        discard()  # the others are as old, and as dead
        if not was_kept:
            raise
    return attempt(work, connection())


def attempt(work: Callable[[Connection], T], connection: Connection) -> T:
    """`work` on this connection, once. Raises DatabaseUnavailable if the server or the way to it is gone."""
    try:
        return work(connection)
    except psycopg.Error as error:  # a COPY that a pooler broke off is a ProgrammingError to psycopg
        if not is_connection_failure(error, connection):
            raise
        close(connection)
        raise DatabaseUnavailable(f"Postgres went away: {_first_line(error)}") from error


def is_connection_failure(error: psycopg.Error, connection: Connection) -> bool:
    """Whether the connection is at fault and not the statement.

    SQLSTATE classes 08 (connection), 57P (shutdown, crash, recovery) and 53 (out of connections or memory), and 25006:
    after a failover this may be the old primary.
    """
    state = error.sqlstate or ""
    return (
        connection.closed
        or connection.broken
        or state[:3] == "57P"
        or state[:2] in {"08", "53"}
        or state == "25006"
    )


def close(connection: Connection) -> None:
    """Close at once: a command still running is cancelled first, or the server would go on and commit it."""
    with suppress(Exception):
        if connection.info.transaction_status is TransactionStatus.ACTIVE:
            _cancel(connection)
    with suppress(Exception):
        connection.close()


def _cancel(connection: Connection) -> None:
    """Cancel until the server says something: a request that overtakes its command on the way is ignored."""
    ends_at = time.monotonic() + _CANCEL_SECONDS
    with DefaultSelector() as selector:
        selector.register(connection.fileno(), EVENT_READ)
        while (left := ends_at - time.monotonic()) > 0:
            connection.cancel_safe(timeout=left)
            if selector.select(timeout=min(left, _CANCEL_AGAIN_SECONDS)):
                break


def _drop(kept: _Kept) -> None:
    _thread.kept.remove(kept)
    _release(kept)


def _release(kept: _Kept) -> None:
    if kept.pid == os.getpid():  # a forked child must not speak on its parent's socket
        close(kept.connection)


def _connect() -> Connection:
    return psycopg.connect(secrets.secret("DATABASE_URL"), **_OPTIONS)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
