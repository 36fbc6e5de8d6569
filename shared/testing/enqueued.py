"""A job that was accepted, as a test looks at it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import ConfigDict

from shared import sealing
from shared.envelope import Payload
from shared.testing.table import StoredJob

P = TypeVar("P", bound=Payload)


@dataclass(frozen=True, slots=True)
class EnqueuedJob(Generic[P]):
    """One job, as it stands. Spans are in seconds.

    `payload` is what its handler will be given, read from the row as a worker reads it. `delay` is from its enqueue to
    `not_before`, which is as it was asked for, also after `advance`.
    """

    payload: P
    job_id: UUID
    job_type: str
    status: str
    user_id: int | None
    organization_id: int | None
    idempotency_key: str | None
    schedule_id: str | None
    batch_id: UUID | None
    not_before: datetime | None
    delay: float | None
    run: int
    attempt: int
    max_attempts: int
    error: str | None
    errors: list[dict[str, Any]] = field(repr=False)
    result: Any
    progress: Any
    headers: dict[str, str]
    callback: str | None
    failure_callback: str | None
    retry_after: float | None = field(repr=False)

    def __str__(self) -> str:
        said = [repr(self.payload)]
        said += [f"{name}={value}" for name in _SHOWN if (value := getattr(self, name)) is not None]
        said.append("due at once" if self.delay is None else f"due in {self.delay:g} s")
        return ", ".join([*said, self.status])


class UnreadPayload(Payload):
    """A payload that is not of its type's class, as it is: of an older version, say, or of a test's own class."""

    model_config = ConfigDict(extra="allow")


_SHOWN = ("organization_id", "user_id", "idempotency_key", "schedule_id")


def enqueued_job(row: StoredJob, kind: type[P], not_before: datetime | None) -> EnqueuedJob[P]:
    """A row with its payload and result opened. Raises SecretUnavailable without their key."""
    delay = None if row.not_before is None else (row.not_before - row.created_at).total_seconds()
    return EnqueuedJob(
        payload=kind.model_validate_json(
            _opened_payload(row), extra="allow" if kind is UnreadPayload else "ignore"
        ),
        job_id=row.job_id,
        job_type=row.job_type,
        status=row.status,
        user_id=row.user_id,
        organization_id=row.organization_id,
        idempotency_key=row.idempotency_key,
        schedule_id=row.schedule_id,
        batch_id=row.batch_id,
        not_before=not_before,
        delay=None if delay is None else round(delay, 2),
        run=row.run,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        error=row.error,
        errors=row.errors,
        result=opened_result(row),
        progress=row.progress,
        headers=dict(row.publish_options.get("headers") or {}),
        callback=row.publish_options.get("callback"),
        failure_callback=row.failure_callback,
        retry_after=row.retry_after,
    )


def opened_result(row: StoredJob) -> Any:
    """What the handler returned, through JSON; None where it has not."""
    if row.result is None:
        return None
    return json.loads(sealing.unseal(row.result, row.result_key, sealing.result_of(row.job_id)))


def _opened_payload(row: StoredJob) -> str:
    places = sealing.payload_of(row.job_id), sealing.payload_of_schedule(row.schedule_id)
    return sealing.unseal(row.payload, row.payload_key, *places)
