"""One attempt of one job, made by the worker's own code, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from shared.answers import Answer
from shared.envelope import Delivery, Envelope
from shared.errors import DatabaseUnavailable, SecretUnavailable
from shared.job import Job
from shared.outcomes import Fail, Retry
from shared.testing.enqueued import EnqueuedJob
from shared.testing.table import StoredJob, Table
from shared.worker import Worker

Opened = Callable[[StoredJob], EnqueuedJob[Any]]


@dataclass(frozen=True, slots=True)
class Performed:
    """What an attempt ended as: `completed`, `retrying`, `failed` or `cancelled`, or `skipped` (a schedule's run only).

    `exception` is what the handler raised. `retry_after` is in how many seconds the next attempt comes, as the handler
    asked, or by QStash's own delay. `enqueued` are the jobs that were accepted by it: those in `then`, and those that the
    handler enqueued.
    """

    job_id: UUID
    job_type: str
    status: str
    attempt: int
    max_attempts: int
    error: str | None
    exception: BaseException | None = field(repr=False)
    retry_after: float | None
    enqueued: list[EnqueuedJob[Any]] = field(repr=False)
    job: EnqueuedJob[Any] | None = field(repr=False)
    returned: Any = field(repr=False)

    @property
    def result(self) -> Any:
        """What the handler returned, through JSON. Raises AssertionError where the job has not completed."""
        if self.status != "completed" or self.job is None:
            raise AssertionError(f"there is no result: {self}")
        return self.job.result

    @property
    def surprise(self) -> BaseException | None:
        """What the handler raised, or an AssertionError where the job ended badly and its handler had not said so."""
        if self.exception is not None:
            return self.exception
        is_meant = self.status not in {"failed", "retrying"} or isinstance(self.returned, Fail | Retry)
        return None if is_meant else AssertionError(str(self))

    def __str__(self) -> str:
        end = f"{self.job_type} {self.job_id} is {self.status} after attempt {self.attempt} of {self.max_attempts}"
        return end if self.error is None else f"{end}: {self.error}"


class _Seen:
    """What a handler raised or returned, which its worker turns into a status."""

    def __init__(self) -> None:
        self.exception: BaseException | None = None
        self.returned: Any = None

    def watching(self, handler: Callable[[Job[Any]], Any]) -> Callable[[Job[Any]], Any]:
        def watched(job: Job[Any]) -> Any:
            try:
                self.returned = handler(job)
            except BaseException as error:
                self.exception = error
                raise
            return self.returned

        return watched


def attempt(
    worker: Worker[Any], delivery: Delivery, seconds: float, table: Table, opened: Opened
) -> tuple[Answer, Performed]:
    """Deliver a job once, within so many seconds: what was answered, and what came of it.

    Raises DatabaseUnavailable where Postgres refused or went away, SecretUnavailable where the job waits for a key.
    """
    seen, last = _Seen(), table.last()
    answer = Worker(worker.payload, seen.watching(worker.run)).deliver(delivery, seconds)
    if "waits" in answer.body:
        raise SecretUnavailable(str(answer.body["error"]))
    if answer.status == 503 and "Retry-After" not in answer.headers:
        raise DatabaseUnavailable(f"{answer.body['error']}; the logger 'posthaste' says why")
    job = next((opened(row) for row in table.accepted(job_id=delivery.job_id)), None)
    new = [row for row in table.accepted(after=last) if row.job_id != delivery.job_id]
    return answer, Performed(
        job_id=delivery.job_id,
        job_type=worker.config.type.value,
        status="skipped" if job is None else job.status,
        attempt=0 if job is None else job.attempt,
        max_attempts=0 if job is None else job.max_attempts,
        error=None if job is None else job.error,
        exception=seen.exception,
        retry_after=None if job is None else job.retry_after,
        enqueued=[opened(row) for row in new],
        job=job,
        returned=seen.returned,
    )


def delivery_of(job_id: UUID, job_type: str, publication: int) -> Delivery:
    """The message that QStash would deliver; the row's payload runs."""
    return Delivery(
        Envelope(job_id=job_id, publication=publication, type=job_type, payload={}), message_id=None
    )


@dataclass(frozen=True, slots=True)
class Drained:
    """The attempts that `drain` made, in their order, and how many jobs have not ended yet."""

    attempts: list[Performed]
    waiting: int

    @property
    def completed(self) -> int:
        """How many attempts completed their job."""
        return self._count("completed")

    @property
    def retrying(self) -> int:
        """How many are followed by another."""
        return self._count("retrying")

    @property
    def failed(self) -> int:
        """How many made their job a dead letter."""
        return self._count("failed")

    @property
    def cancelled(self) -> int:
        """How many cancelled their job."""
        return self._count("cancelled")

    def _count(self, status: str) -> int:
        return sum(each.status == status for each in self.attempts)

    def __str__(self) -> str:
        counts = ", ".join(
            f"{name} {getattr(self, name)}" for name in ("completed", "retrying", "failed", "cancelled")
        )
        return f"{len(self.attempts)} attempts: {counts}; {self.waiting} waiting"
