"""Accepts jobs. One path for all: record the job, publish it, stamp that it is published.

The row is the job; QStash is how it is delivered. Whatever happens once the row is committed, the job runs: what could
not be published here is published by `reconcile`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus

from shared import database, executions, outbox, relay, reporting, sealing
from shared.batches import Batch, enqueue_batch
from shared.envelope import Payload
from shared.errors import (
    IdempotencyConflict,
    InvalidJob,
    JobHasEnded,
    JobNotEnded,
    JobNotFound,
    NothingToReplay,
    PosthasteError,
    PublishRejected,
)
from shared.fault_points import FaultPoint, reach
from shared.job_request import (
    JobRequest,
    checked,
    new_job,
    new_jobs,
    requests_of,
    require_connection,
    stored_payload,
)
from shared.registry import JobType, get_job_config
from shared.rows import NewJob, UnpublishedJob
from shared.settings import DispatcherSettings

__all__ = [
    "Batch",
    "Enqueued",
    "JobRequest",
    "cancel",
    "enqueue",
    "enqueue_batch",
    "enqueue_many",
    "replay",
    "retry",
    "transaction",
]

C = TypeVar("C", bound=psycopg.Connection[Any])


def enqueue(
    payload: Payload,
    *,
    user_id: int | None = None,
    organization_id: int | None = None,
    idempotency_key: str | None = None,
    delay: float | timedelta | None = None,
    not_before: datetime | None = None,
    retries: int | None = None,
    headers: Mapping[str, str] | None = None,
    callback: str | None = None,
    failure_callback: str | None = None,
    connection: psycopg.Connection[Any] | None = None,
) -> UUID:
    """Accept a job and return its id; from then on it is never lost.

    `delay` is in seconds (or a timedelta), up to ten years; `not_before` an aware datetime instead of it. `retries`, 0
    to 50, replaces the job type's own. A repeated `idempotency_key` (per job type and organization, at most 255
    characters) returns the first job's id. `headers` reach the worker's request; `callback` is a URL that QStash calls
    after each attempt, `failure_callback` one called once the job has failed. With `connection` the job is part of that
    connection's transaction: see `transaction`.

    Raises InvalidJob (names every field at fault), IdempotencyConflict, MissingSettings or SecretUnavailable (the
    payload's key or the database's password), and nothing was written; DatabaseUnavailable, after which the job may have
    been accepted if the connection broke at the last moment (try again with an idempotency key); PublishRejected if
    QStash refused this very message: the job is recorded as failed.

        >>> enqueue(SendSms(to="+12025551234", message="Your code is 123456"), delay=60)  # doctest: +SKIP
        UUID('01a20390-091c-72da-a1ee-c518ceb18516')
    """
    request = JobRequest(
        payload,
        user_id=user_id,
        organization_id=organization_id,
        idempotency_key=idempotency_key,
        delay=delay,
        not_before=not_before,
        retries=retries,
        headers=headers,
        callback=callback,
        failure_callback=failure_callback,
    )
    require_connection("enqueue", connection)
    settings = DispatcherSettings.load()
    (enqueued,) = _enqueue([new_job(request, settings)], settings, connection)
    if enqueued.error is not None:
        raise enqueued.error
    return enqueued.job_id


@dataclass(frozen=True, slots=True)
class Enqueued:
    """What became of one job of `enqueue_many`: its id, and its error if it was not accepted as asked.

    With an IdempotencyConflict the id is that of the job which holds the key; with a PublishRejected it is the job's
    own, recorded as failed.
    """

    job_id: UUID
    error: IdempotencyConflict | PublishRejected | None = None


def enqueue_many(
    jobs: Iterable[Payload | JobRequest], *, connection: psycopg.Connection[Any] | None = None
) -> list[Enqueued]:
    """Accept many jobs with one write and as few calls of QStash as it allows; what became of each, in their order.

    A JobRequest carries the options that `enqueue` takes. Raises InvalidJob, which names the job by its position, and
    nothing was written; DatabaseUnavailable and MissingSettings as `enqueue` does.

        >>> enqueue_many(SendSms(to=each, message="We are back") for each in numbers)  # doctest: +SKIP
        [Enqueued(job_id=UUID('01a20390-091c-72da-a1ee-c518ceb18516'), error=None), …]
    """
    require_connection("enqueue_many", connection)
    requests = requests_of("enqueue_many", jobs)
    settings = DispatcherSettings.load()
    accepted = new_jobs("enqueue_many", requests, settings)
    return _enqueue(accepted, settings, connection) if accepted else []


def cancel(job_id: UUID, reason: str = "cancelled by its owner") -> None:
    """End a job that has not ended. One that runs sees `job.cancelled`, and its result is not recorded.

    Raises JobNotFound, JobHasEnded, or InvalidJob where the id is no UUID.

        >>> cancel(job_id, "the address is wrong")  # doctest: +SKIP
    """
    _require_id("cancel", job_id)
    cancelled = database.run(lambda kept: executions.cancel(kept, job_id, reason))
    if cancelled is None:
        raise _why_not(job_id)
    reach(FaultPoint.CANCELLED)
    reporting.cancelled(job_id)
    relay.withdraw(cancelled)
    reach(FaultPoint.WITHDRAWN)
    if cancelled.batch_id is not None:
        relay.publish_completion(cancelled.batch_id)


def retry(job_id: UUID, payload: Payload | None = None) -> None:
    """Run a failed or cancelled job again: a new run of the same job, which keeps the errors of the old one.

    A corrected `payload` replaces the old one. Raises JobNotFound; JobHasEnded if it completed; JobNotEnded if it may
    still run; InvalidJob if the payload is of another type or the id no UUID; MissingSettings or SecretUnavailable if
    it cannot be sealed.

        >>> retry(job_id, SendSms(to="+12025551234", message="Your code is 123456"))  # doctest: +SKIP
    """
    _require_id("retry", job_id)
    if payload is not None:
        _require_type(job_id, payload)
    stored = (
        None
        if payload is None
        else stored_payload(checked(payload), payload.job_type, sealing.payload_of(job_id))
    )
    replayed = database.run(lambda kept: executions.replay(kept, job_ids=[job_id], payload=stored, limit=1))
    if not replayed:
        raise _why_not(job_id)
    reach(FaultPoint.REPLAYED)
    relay.publish_accepted(replayed, DispatcherSettings.load())


def replay(
    *,
    job_type: JobType | None = None,
    failed_after: datetime | None = None,
    failed_before: datetime | None = None,
    error: str | None = None,
    job_ids: Sequence[UUID] | None = None,
    limit: int = 1_000,
) -> list[UUID]:
    """Run dead letters again, up to `limit`, that fit every filter given; the ids of those that will.

    `error` is a part of the error's text; `failed_after` (inclusive) and `failed_before` are aware datetimes. Raises
    InvalidJob without any filter, UnknownJobType, or NothingToReplay.

        >>> replay(job_type=JobType.SEND_EMAIL, error="rate limit")  # doctest: +SKIP
        [UUID('01a20390-091c-72da-a1ee-c518ceb18516')]
    """
    filters: dict[str, Any] = {
        "job_type": job_type,
        "failed_after": failed_after,
        "failed_before": failed_before,
        "error": error,
        "job_ids": job_ids,
    }
    if all(value is None for value in filters.values()):
        raise InvalidJob("replay", [("filters", f"give at least one of {', '.join(filters)}")])
    if job_type is not None:
        get_job_config(job_type)
    replayed = database.run(lambda kept: executions.replay(kept, limit=limit, **filters))
    if not replayed:
        raise NothingToReplay(filters)
    reach(FaultPoint.REPLAYED)
    relay.publish_accepted(replayed, DispatcherSettings.load())
    return [job.job_id for job in replayed]


@contextmanager
def transaction(connection: C, *, publish_within: float | None = None) -> Iterator[C]:
    """A transaction on your own connection; jobs enqueued in it are published right after its commit.

    Rolled back, they never existed. Without this block (only `connection=`), they are published by the
    next sweep, at most 75 s later; so is what QStash has not taken `publish_within` so many seconds.

        with dispatcher.transaction(connection):
            connection.execute("INSERT INTO users (email) VALUES (%s)", [email])
            enqueue(SendEmail(to=email, data=WelcomeData(name="Ada")), connection=connection)
    """
    with connection.transaction():
        yield connection
    if (
        connection.info.transaction_status is TransactionStatus.IDLE
    ):  # else this was a savepoint of a larger one
        reach(FaultPoint.COMMITTED)
        relay.publish_written(outbox.take(connection), publish_within)


# --- accepting ----------------------------------------------------------------------------------------------


def _enqueue(
    jobs: Sequence[NewJob], settings: DispatcherSettings, connection: psycopg.Connection[Any] | None
) -> list[Enqueued]:
    max_delay = settings.max_delay - relay.REACH_MARGIN
    if connection is None:
        accepted = database.run(lambda kept: executions.insert(kept, jobs, max_delay))
        refused = database.run(lambda kept: _refused(kept, jobs, accepted, max_delay))
    else:
        accepted = executions.insert(connection, jobs, max_delay)
        refused = _refused(connection, jobs, accepted, max_delay)
    rejected = relay.hand_over(accepted, settings, connection)
    return [refused.get(job.job_id) or Enqueued(job.job_id, rejected.get(job.job_id)) for job in jobs]


def _refused(
    connection: psycopg.Connection[Any],
    jobs: Sequence[NewJob],
    accepted: Sequence[UnpublishedJob],
    max_delay: float,
) -> dict[UUID, Enqueued]:
    """What stood in the way of those jobs that were not inserted, by the ids they were to have."""
    inserted = {job.job_id for job in accepted}
    return {job.job_id: _refusal(connection, job, max_delay) for job in jobs if job.job_id not in inserted}


def _refusal(connection: psycopg.Connection[Any], job: NewJob, max_delay: float) -> Enqueued:
    while (found := executions.find_accepted(connection, job)) is None:
        # The holder of the key was deleted between the two statements. Reconcile publishes what is inserted now.
        if executions.insert(connection, [job], max_delay):
            return Enqueued(job.job_id)
    job_id, same_payload = found
    return Enqueued(job_id, None if same_payload else IdempotencyConflict(job.idempotency_key or "", job_id))


def _require_id(call: str, job_id: UUID) -> None:
    if not isinstance(job_id, UUID):
        raise InvalidJob(call, [("job_id", f"must be a UUID, not {job_id!r}: uuid.UUID(text) makes one")])


def _require_type(job_id: UUID, payload: Payload) -> None:
    found = database.run(lambda kept: executions.find(kept, job_id))
    if found is None:
        raise JobNotFound(job_id)
    if found.job_type != payload.job_type:
        raise InvalidJob(
            "retry", [("payload", f"job {job_id} is a {found.job_type} and takes no {payload.job_type}")]
        )


def _why_not(job_id: UUID) -> PosthasteError:
    standing = database.run(lambda kept: executions.find_standing(kept, job_id))
    if standing is None:
        return JobNotFound(job_id)
    if standing.status in {"completed", "failed", "cancelled"}:
        return JobHasEnded(job_id, standing.status)
    return JobNotEnded(job_id, standing.status)
