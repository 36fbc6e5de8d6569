"""Accepts jobs. One path for all: record the job, publish it, stamp that it is published.

The row is the job; QStash is how it is delivered. Whatever happens once the row is committed, the job runs: what could
not be published here is published by `reconcile`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus
from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from shared import database, executions, outbox, publishing, relay, reporting
from shared.envelope import Envelope, Payload, new_job_id, problems
from shared.errors import IdempotencyConflict, InvalidJob
from shared.job_options import JobOptions
from shared.registry import JobConfig, get_job_config
from shared.rows import NewJob, UnpublishedJob
from shared.settings import DispatcherSettings

LARGEST_PAYLOAD = 512 * 1024  # bytes
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
        relay.publish_accepted(accepted, settings)
    return job.job_id


@contextmanager
def transaction(connection: C) -> Iterator[C]:
    """A transaction on your own connection; jobs enqueued in it are published right after its commit.

    Rolled back, they never existed. Without this block (only `connection=`), they are published by the
    next sweep, at most 75 s later.

        with dispatcher.transaction(connection):
            connection.execute("INSERT INTO users …")
            enqueue(SendEmail(…), connection=connection)
    """
    with connection.transaction():
        yield connection
    if (
        connection.info.transaction_status is TransactionStatus.IDLE
    ):  # else this was a savepoint of a larger one
        relay.publish_written(outbox.take(connection))


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
        max_delay=settings.max_delay - relay.REACH_MARGIN,
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
