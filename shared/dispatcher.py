"""Accepts jobs. One path for all: record the job, publish it, stamp that it is published.

The row is the job; QStash is how it is delivered. Whatever happens once the row is committed, the job runs: what could
not be published here is published by `reconcile`.
"""

from __future__ import annotations

import functools
import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from shared import database, executions, inline, outbox, publishing, reporting
from shared.envelope import Envelope, Payload, new_job_id, problems
from shared.errors import DatabaseUnavailable, IdempotencyConflict, InvalidJob, PublishFailed, PublishRejected
from shared.failures import words
from shared.job_options import JobOptions
from shared.observability import logger
from shared.registry import JobConfig, get_job_config
from shared.rows import NewJob, OverdueJob, UnpublishedJob, UntoldFailure
from shared.settings import DispatcherSettings

LARGEST_PAYLOAD = 512 * 1024  # bytes
_REACH_MARGIN = 60  # seconds: times are rounded up to whole seconds, and QStash has a clock of its own
_PUBLISHERS = 8  # at once, where many wait
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # escaped by JSON, and not by the text itself

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

    `delay` is in seconds (or a timedelta), `not_before` an aware datetime. `retries` replaces the job type's own. A
    repeated `idempotency_key` (per job type and organization) returns the first job's id. `headers` reach the worker's
    request; `callback` is a URL that QStash calls after each attempt, `failure_callback` one called once the job has
    failed. With `connection` the job is part of that connection's transaction: see `transaction`.

    Raises InvalidJob (names every field at fault), IdempotencyConflict or MissingSettings, and nothing was written;
    DatabaseUnavailable, after which the job may have been accepted if the connection broke at the last moment (try
    again with an idempotency key); PublishRejected if QStash refused this very message: the job is recorded as failed.

        >>> enqueue(SendSms(to="+12025551234", message="Your code is 123456"), delay=60)  # doctest: +SKIP
        UUID('01a20390-091c-72da-a1ee-c518ceb18516')
    """
    settings = DispatcherSettings.load()
    options = JobOptions.check(
        "enqueue",
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
    job = _new_job(payload, options, settings)
    if connection is None:
        accepted = database.run(lambda kept: _accept(kept, job))
    else:
        accepted = _accept(connection, job)
    if isinstance(accepted, UUID):
        return accepted
    if connection is not None and connection.info.transaction_status is not TransactionStatus.IDLE:
        outbox.add(connection, accepted.transaction, job.job_id)
        return job.job_id
    reporting.enqueued(job.job_type, job.job_id)
    if accepted.within_reach:
        _deliver(accepted, settings)
    return job.job_id


@contextmanager
def transaction(connection: C) -> Iterator[C]:
    """A transaction on your own connection; jobs enqueued in it are published right after its commit.

    Rolled back, they never existed. Without this block (only `connection=`), they are published within a minute.

        with dispatcher.transaction(connection):
            connection.execute("INSERT INTO users …")
            enqueue(SendEmail(…), connection=connection)
    """
    with connection.transaction():
        yield connection
    if (
        connection.info.transaction_status is TransactionStatus.IDLE
    ):  # else this was a savepoint of a larger one
        publish_written(outbox.take(connection))


def publish_written(job_ids: Sequence[UUID]) -> None:
    """Publish jobs that a transaction wrote, if it committed them. Never raises: reconcile publishes what is left."""
    if not job_ids:
        return
    settings = DispatcherSettings.load()
    try:
        written = database.run(
            lambda kept: executions.take_written(kept, job_ids, settings.max_delay - _REACH_MARGIN)
        )
        for job in written:
            reporting.enqueued(job.job_type, job.job_id)
            _deliver(job, settings)
    except (DatabaseUnavailable, PublishRejected, psycopg.Error) as error:
        logger.error("not all published; reconcile will try again", extra={"reason": words(error)})


def publish_unpublished(limit: int, ends_at: float) -> tuple[int, int]:
    """Publish up to `limit` due jobs of the outbox, until `ends_at` (of time.monotonic).

    Returns how many were taken and how many of them QStash has now. Never fails a job for it: a revoked token would
    fail the whole queue. Raises DatabaseUnavailable.
    """
    settings = DispatcherSettings.load()
    jobs = database.run(lambda kept: executions.take_unpublished(kept, limit))

    def publish(job: UnpublishedJob) -> str | None:
        return _try_publish(job, settings) if time.monotonic() < ends_at else None

    with ThreadPoolExecutor(_PUBLISHERS) as publishers:
        results = publishers.map(publish, jobs)
        stamped = [
            _stamp(job, message_id) for job, message_id in zip(jobs, results, strict=True) if message_id
        ]
    return len(jobs), len(stamped)


def give_back_gone(limit: int, ends_at: float) -> int:
    """Give back up to `limit` overdue jobs whose message QStash no longer holds, until `ends_at`; how many were.

    A message may have ended without its worker's knowledge: refused by a function that did not start, cancelled by
    hand, lost with its failure callback. Raises DatabaseUnavailable.
    """
    settings = DispatcherSettings.load()
    overdue = database.run(lambda kept: executions.take_overdue(kept, limit))

    def is_gone(job: OverdueJob) -> bool:
        return time.monotonic() < ends_at and not _is_held(job, settings)

    with ThreadPoolExecutor(_PUBLISHERS) as askers:
        gone = [job for job, found in zip(overdue, askers.map(is_gone, overdue), strict=True) if found]
    settled = [database.run(functools.partial(executions.requeue_gone, job=job)) for job in gone]
    for each in filter(None, settled):
        reporting.settled(each)
    return len(gone)


def tell_failures(job_id: UUID | None = None, limit: int = 1, ends_at: float = math.inf) -> int:
    """Publish the failure callbacks of failed jobs whose callers wait for one; how many QStash has now.

    Of one job if an id is given; until `ends_at` (of time.monotonic). Never raises for QStash's sake: reconcile tries
    again.
    """
    settings = DispatcherSettings.load()
    untold = database.run(lambda kept: executions.take_untold_failures(kept, limit, job_id))
    return sum(_tell(failure, settings) for failure in untold if time.monotonic() < ends_at)


# --- accepting ----------------------------------------------------------------------------------------------


def _new_job(payload: Payload, options: JobOptions, settings: DispatcherSettings) -> NewJob:
    wire = _checked(payload)
    config = get_job_config(payload.job_type)
    retries = config.retries if options.retries is None else options.retries
    return NewJob(
        job_id=new_job_id(),
        job_type=config.type.value,
        payload=wire,
        max_attempts=retries + 1,
        max_delay=settings.max_delay - _REACH_MARGIN,
        publish_options=_publish_options(config, retries, options, settings),
        user_id=options.user_id,
        organization_id=options.organization_id,
        idempotency_key=options.idempotency_key,
        failure_callback=options.failure_callback,
        not_before=options.not_before,
        delay=None if options.delay is None else options.delay.total_seconds(),
    )


def _checked(payload: Payload) -> dict[str, Any]:
    """The payload as it will travel, read back strictly: whatever the object was made of, the worker can read this."""
    if not hasattr(payload, "job_type"):
        raise InvalidJob(
            "enqueue", [("payload", f"must be a Payload of a job type, not {type(payload).__name__}")]
        )
    name = type(payload).__name__
    try:
        text = payload.model_dump_json(by_alias=True, warnings=False)  # it is read back right below
        type(payload).model_validate_json(text)
        # The worker reads it inside an envelope, which is a level deeper than the parser may allow.
        Envelope.model_validate_json(f'{{"type": "", "payload": {text}}}')
    except ValidationError as error:
        raise InvalidJob(name, problems(error)) from None
    except (PydanticSerializationError, ValueError) as error:
        raise InvalidJob(name, [("payload", f"cannot be sent as JSON: {error}")]) from None
    if len(text.encode()) > LARGEST_PAYLOAD:
        raise InvalidJob(
            name, [("payload", f"must be at most {LARGEST_PAYLOAD} bytes as JSON; pass a reference instead")]
        )
    if _NUL.search(text):
        raise InvalidJob(
            name, [("payload", "must not contain the NUL character, which Postgres cannot store")]
        )
    wire: dict[str, Any] = json.loads(text)
    return wire


def _publish_options(
    config: JobConfig, retries: int, options: JobOptions, settings: DispatcherSettings
) -> dict[str, Any]:
    published = publishing.default_options(config, retries, settings)
    if options.headers:
        published["headers"] = options.headers
    if options.callback:
        published["callback"] = options.callback
    return published


def _accept(connection: psycopg.Connection[Any], job: NewJob) -> UnpublishedJob | UUID:
    """Insert the job; the id of the job that is already there where it, or its key, is."""
    accepted = executions.insert(connection, job)
    if accepted is not None:
        return accepted
    found = executions.find_accepted(connection, job)
    if found is None:  # the holder of the key was deleted between the two statements
        return _accept(connection, job)
    job_id, same_payload = found
    if not same_payload:
        raise IdempotencyConflict(job.idempotency_key or "", job_id)
    return job_id


# --- publishing ---------------------------------------------------------------------------------------------


def _deliver(job: UnpublishedJob, settings: DispatcherSettings) -> None:
    """Publish an accepted job. Raises only PublishRejected; everything else is left to reconcile."""
    if settings.delivery == "inline":
        inline.run(job)
        return
    try:
        message_id = publishing.publish(job, settings)
    except PublishFailed as error:
        reporting.publish_failed(job.job_type, job.job_id, str(error))
    except PublishRejected as error:
        if _reject(job, error):
            raise
    else:
        _stamp(job, message_id)


def _try_publish(job: UnpublishedJob, settings: DispatcherSettings) -> str | None:
    try:
        return publishing.publish(job, settings)
    except Exception as error:  # noqa: BLE001  # whatever is wrong with one row must not stop the others
        reporting.publish_failed(job.job_type, job.job_id, words(error))
        return None


def _is_held(job: OverdueJob, settings: DispatcherSettings) -> bool:
    if job.qstash_message_id is None:
        return False
    try:
        return publishing.is_held(job.qstash_message_id, settings)
    except PublishFailed as error:
        logger.warning("QStash does not say what it holds", extra={"reason": str(error)})
        return True


def _tell(failure: UntoldFailure, settings: DispatcherSettings) -> bool:
    try:
        publishing.publish_failure(failure, settings)
    except PublishFailed as error:
        reporting.publish_failed(failure.job_type, failure.job_id, str(error))
        return False
    except PublishRejected as error:  # a URL that QStash will never call; trying again changes nothing
        reporting.publish_failed(failure.job_type, failure.job_id, f"failure callback given up: {error}")
    database.run(lambda kept: executions.stamp_failure_told(kept, failure.job_id, failure.run))
    return True


def _stamp(job: UnpublishedJob, message_id: str) -> bool:
    try:
        return database.run(
            lambda kept: executions.stamp_publication(kept, job.job_id, job.publication, message_id)
        )
    except (
        DatabaseUnavailable,
        psycopg.Error,
    ) as error:  # the claim will stamp it, or reconcile publish it again
        logger.warning("published but not stamped", extra={"job_id": str(job.job_id), "reason": words(error)})
        return False


def _reject(job: UnpublishedJob, error: PublishRejected) -> bool:
    reporting.publish_failed(job.job_type, job.job_id, str(error))
    try:
        return database.run(
            lambda kept: executions.reject_publication(kept, job.job_id, job.publication, str(error))
        )
    except (DatabaseUnavailable, psycopg.Error):
        return False
