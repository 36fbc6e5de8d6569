"""Events received from other systems, as app.webhook_events keeps them: each is applied once, whoever brings it.

The row's payload is the body as the sender sent it. A receiver may write the row before it enqueues the job; without
one the job does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Literal
from uuid import UUID

from psycopg.types.json import Jsonb

from shared import database
from shared.database import Connection
from shared.envelope import WireModel
from shared.errors import PosthasteError
from shared.job import Job
from shared.outcomes import Complete, Fail

# The row is locked until the transaction ends, so of two jobs with the same event the second finds it settled.
_TAKE = b"""
INSERT INTO app.webhook_events AS event (
    source, name, event_id, event_type, status, payload, ip, job_id, occurred_at)
VALUES (
    %(source)s, %(name)s, %(event_id)s, %(event_type)s, 'queued', %(payload)s, %(ip)s, %(job_id)s, %(occurred_at)s)
ON CONFLICT (source, name, event_id) DO UPDATE SET
    job_id = excluded.job_id, occurred_at = coalesce(event.occurred_at, excluded.occurred_at)
WHERE event.status NOT IN ('processed', 'ignored')
RETURNING id
"""
_SETTLE = b"""
UPDATE app.webhook_events SET status = %(status)s, error = %(reason)s, processed_at = clock_timestamp()
WHERE source = %(source)s AND name = %(name)s AND event_id = %(event_id)s
"""


class InvalidEvent(PosthasteError):
    """An event that can never be applied, because it lacks what it must hold; its words name no values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """An event as its row begins: `event_id` is the sender's, `name` a custom sender's, `occurred_at` the sender's time."""

    source: str
    name: str = ""
    event_id: str
    event_type: str
    payload: Mapping[str, Any]
    job_id: UUID
    ip: IPv4Address | IPv6Address | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Processed:
    """The event was applied; `then` are the next jobs, as `Complete` takes them."""

    then: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Ignored:
    """The event changes nothing, and why; `then` as for a processed one."""

    reason: str
    then: Sequence[Any] = ()


class WebhookResult(WireModel):
    """A webhook job's result: what became of the event. A duplicate was processed or ignored by an earlier job."""

    event_id: str
    status: Literal["processed", "ignored", "duplicate"]
    reason: str | None = None


def apply_once(
    job: Job[Any], event: WebhookEvent, apply: Callable[[Connection], Processed | Ignored]
) -> Complete | Fail:
    """Have `apply` do its work in the job's transaction, unless the event was settled before; its row says how it ended.

    An InvalidEvent that `apply` raises makes the job a dead letter and the row `failed`; a replay may still settle it.
    """
    try:
        with job.transaction() as connection:
            if not _take(connection, event):
                return Complete(WebhookResult(event_id=event.event_id, status="duplicate"))
            verdict = apply(connection)
            return _settle(connection, event, verdict)
    except InvalidEvent as error:
        reason = str(error)
    # On its own: a dead letter's transaction is undone.
    database.run(lambda connection: _record_failure(connection, event, reason))
    return Fail(reason)


def _take(connection: Connection, event: WebhookEvent) -> bool:
    """Lock the event's row, made if there is none; False where it is settled."""
    values = asdict(event) | {"payload": Jsonb(event.payload)}
    return connection.execute(_TAKE, values).fetchone() is not None


def _settle(connection: Connection, event: WebhookEvent, verdict: Processed | Ignored) -> Complete:
    status: Literal["processed", "ignored"] = "ignored" if isinstance(verdict, Ignored) else "processed"
    reason = verdict.reason if isinstance(verdict, Ignored) else None
    _write(connection, event, status, reason)
    return Complete(WebhookResult(event_id=event.event_id, status=status, reason=reason), then=verdict.then)


def _record_failure(connection: Connection, event: WebhookEvent, reason: str) -> None:
    with connection.transaction():
        if _take(connection, event):
            _write(connection, event, "failed", reason)


def _write(connection: Connection, event: WebhookEvent, status: str, reason: str | None) -> None:
    key = {"source": event.source, "name": event.name, "event_id": event.event_id}
    connection.execute(_SETTLE, key | {"status": status, "reason": reason})
