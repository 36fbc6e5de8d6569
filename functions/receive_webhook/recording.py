"""Writes an event down and accepts its job, in one transaction; the publish comes right after it, and may take 2 s."""

from __future__ import annotations

from enum import StrEnum, auto
from pathlib import Path
from typing import Any
from uuid import UUID

from functions.receive_webhook.events import Event
from functions.receive_webhook.incoming import Incoming
from shared import database, dispatcher, executions, outbox
from shared.database import Connection
from shared.errors import IdempotencyConflict
from shared.fault_points import FaultPoint, reach

PUBLISH_SECONDS = 2.0  # what QStash has not taken by then, the sweep publishes
_SQL = Path(__file__).parent / "sql"
_RECORD = (_SQL / "record_event.sql").read_bytes()
_FIND = (_SQL / "find_event.sql").read_bytes()
_QUEUE = (_SQL / "queue_event.sql").read_bytes()
# Shorter than senders wait; what is not done by then, they send again.
_PATIENCE = b"SET LOCAL lock_timeout = '3s'; SET LOCAL statement_timeout = '5s'"


class Outcome(StrEnum):
    """What became of an event that was sent."""

    QUEUED = auto()
    IGNORED = auto()
    DUPLICATE = auto()


def record(event: Event, request: Incoming) -> Outcome:
    """Record the event once and enqueue its job; when this returns, both are committed.

    Raises DatabaseUnavailable or psycopg.Error, after which the sender must send it again; InvalidJob.
    """
    return database.run(lambda connection: _record(connection, event, request))


def _record(connection: Connection, event: Event, request: Incoming) -> Outcome:
    with dispatcher.transaction(connection, publish_within=PUBLISH_SECONDS):
        connection.execute(_PATIENCE)
        if connection.execute(_RECORD, _row(event, request)).fetchone() is None:
            return _again(connection, event)
        if event.job is None:
            return Outcome.IGNORED
        _queue(connection, event, _accept(connection, event))
        reach(FaultPoint.EVENT_WRITTEN)
        return Outcome.QUEUED


def _again(connection: Connection, event: Event) -> Outcome:
    """An event that is here already: nothing to do, unless its job has failed. Whoever sends it now wants it applied."""
    found = connection.execute(_FIND, _key(event)).fetchone()
    if found is None or event.job is None or found["status"] in {"processed", "ignored"}:
        return Outcome.DUPLICATE
    standing = found["job_id"] and executions.find_standing(connection, found["job_id"])
    if not standing:  # the row was written by other means, or retention has deleted the job
        _queue(connection, event, _accept(connection, event))
        return Outcome.QUEUED
    if standing.status == "failed" and _run_again(connection, found["job_id"]):
        _queue(connection, event, found["job_id"])
        return Outcome.QUEUED
    return Outcome.DUPLICATE


def _accept(connection: Connection, event: Event) -> UUID:
    """The event's job. One that holds its key belongs to a row that was deleted, and is not to stand in its way."""
    assert event.job is not None  # noqa: S101  # asked before
    options: dict[str, Any] = {"organization_id": event.organization_id, "connection": connection}
    try:
        job_id = dispatcher.enqueue(event.job, idempotency_key=event.idempotency_key, **options)
    except IdempotencyConflict:
        return dispatcher.enqueue(event.job, **options)
    standing = executions.find_standing(connection, job_id)
    has_ended = standing is not None and standing.status in {"completed", "failed", "cancelled"}
    return dispatcher.enqueue(event.job, **options) if has_ended else job_id


def _run_again(connection: Connection, job_id: UUID) -> bool:
    replayed = executions.replay(connection, job_ids=[job_id], limit=1)
    for job in replayed:
        outbox.add(connection, job.transaction, job.job_id)
    return bool(replayed)


def _queue(connection: Connection, event: Event, job_id: UUID) -> None:
    connection.execute(_QUEUE, _key(event) | {"job_id": job_id})


def _key(event: Event) -> dict[str, Any]:
    return {"source": event.source, "name": event.name, "event_id": event.id}


def _row(event: Event, request: Incoming) -> dict[str, Any]:
    return _key(event) | {
        "event_type": event.type,
        "status": "queued" if event.job is not None else "ignored",
        "payload": event.body.text,
        "ip": request.ip,
        "user_agent": request.user_agent,
        "reason": event.ignored,
        "occurred_at": event.occurred_at,
    }
