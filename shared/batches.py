"""Batches: many jobs, and one that runs when all of them have ended, exactly once.

The counting is Postgres's (migration 0002): whoever writes a member's end, in whatever way it ended, takes one from the
batch in the same transaction, and the last one inserts the completion job there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import psycopg

from shared import database, executions, relay
from shared.envelope import Payload, new_job_id
from shared.errors import InvalidJob
from shared.fault_points import FaultPoint, reach
from shared.job_request import JobRequest, new_job, new_jobs, requests_of, require_connection
from shared.rows import NewJob, UnpublishedJob
from shared.settings import DispatcherSettings


@dataclass(frozen=True, slots=True)
class Batch:
    """An accepted batch: its members' ids, in their order, and the id that the completion job will have."""

    id: UUID
    job_ids: tuple[UUID, ...]
    then_job_id: UUID


def enqueue_batch(
    jobs: Iterable[Payload | JobRequest],
    then: Payload | JobRequest,
    *,
    connection: psycopg.Connection[Any] | None = None,
) -> Batch:
    """Accept jobs, and one that runs when all of them have ended, however they ended; all of it or nothing.

    The completion job's handler finds how each ended in `job.batch()`. A member replayed before the last has ended is
    waited for again. Neither takes an idempotency key. Raises InvalidJob, which names the job by its position (also for
    a batch of nothing), MissingSettings and DatabaseUnavailable as `enqueue` does.

        enqueue_batch([SendSms(to=each, message="We are back") for each in numbers], then=Ping())
    """
    settings = DispatcherSettings.load()
    require_connection("enqueue_batch", connection)
    requests = requests_of("enqueue_batch", jobs)
    completing = then if isinstance(then, JobRequest) else JobRequest(then)
    _check(requests, completing)
    max_delay = settings.max_delay - relay.REACH_MARGIN
    batch_id = new_job_id()
    members = [replace(job, batch_id=batch_id) for job in new_jobs("enqueue_batch", requests, settings)]
    completion = new_job(completing, settings)

    def accept(accepting: psycopg.Connection[Any]) -> list[UnpublishedJob]:
        return _insert(accepting, batch_id, members, completion, max_delay)

    accepted = database.run(accept) if connection is None else accept(connection)
    reach(FaultPoint.BATCH_RECORDED)
    relay.hand_over(accepted, settings, connection)
    return Batch(batch_id, tuple(job.job_id for job in members), completion.job_id)


def _check(requests: Sequence[JobRequest], completing: JobRequest) -> None:
    if not requests:
        raise InvalidJob("enqueue_batch", [("jobs", "must hold at least one job")])
    keyed = [position for position, request in enumerate(requests) if request.idempotency_key is not None]
    if completing.idempotency_key is not None:
        raise InvalidJob("enqueue_batch", [("then.idempotency_key", "a batch's completion takes none")])
    if keyed:
        problems = [
            (f"jobs[{position}].idempotency_key", "a batch's members take none") for position in keyed
        ]
        raise InvalidJob("enqueue_batch", problems)


def _insert(
    connection: psycopg.Connection[Any],
    batch_id: UUID,
    members: Sequence[NewJob],
    then: NewJob,
    max_delay: float,
) -> list[UnpublishedJob]:
    with connection.transaction():
        executions.insert_batch(connection, batch_id, len(members), then, max_delay)
        return executions.insert(connection, members, max_delay)
