"""Who runs the jobs of a test: its functions by their names, or whom the test says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import psycopg

from shared import inline
from shared.answers import Answer
from shared.envelope import Delivery, Payload
from shared.errors import DatabaseUnavailable, UnknownJobType
from shared.job import Job
from shared.registry import get_job_config
from shared.testing.running import Performed
from shared.worker import Worker

P = TypeVar("P", bound=Payload)
Handler = Worker[P] | Callable[[Job[P]], Any]
Deliver = Callable[[Worker[Any], Delivery, float], tuple[Answer, Performed]]

_import_worker = inline.worker_of  # while a test runs jobs inline, something else stands there


class Handlers:
    """The workers by job type."""

    def __init__(self) -> None:
        self._known: dict[str, Worker[Any]] = {}

    def use(self, kind: type[P], handler: Handler[P]) -> None:
        """From here on, run jobs of this type by this handler."""
        self._known[kind.job_type] = as_worker(kind, handler)

    def worker_of(self, job_type: str) -> Worker[Any]:
        """The worker of a job type. Raises UnknownJobType, which says how to give one."""
        __tracebackhide__ = True
        if (known := self._known.get(job_type)) is not None:
            return known
        try:
            return cast("Worker[Any]", _import_worker(job_type))
        except UnknownJobType:
            kind = get_job_config(job_type).type
            message = (
                f"functions.{kind.module}.handler, which runs {job_type}, cannot be imported here: run where it can "
                f"(in the clone, or with it on PYTHONPATH), or say who runs it: jobs.use({kind.class_name}, handler)"
            )
        raise UnknownJobType(message)

    def payload_of(self, job_type: str) -> type[Payload]:
        """The class that reads a type's payloads. Raises UnknownJobType."""
        known = self._known.get(job_type)
        return get_job_config(job_type).payload if known is None else known.payload


def as_worker(kind: type[P], handler: Handler[P]) -> Worker[P]:
    """A function of the job as the worker that runs it."""
    return handler if isinstance(handler, Worker) else Worker(kind, handler)


class InlineWorkers:
    """Workers as inline mode asks for them. What their handlers raise comes out of `enqueue`."""

    def __init__(self, handlers: Handlers, deliver: Deliver) -> None:
        self._handlers, self._deliver = handlers, deliver
        self._raised: list[BaseException] = []

    def worker_of(self, job_type: str) -> _InlineWorker:
        """The worker of a job type. Raises UnknownJobType."""
        return _InlineWorker(self._handlers.worker_of(job_type), self)

    def run(self, worker: Worker[Any], delivery: Delivery, seconds: float) -> Answer:
        """Make one attempt. Raises what went wrong in it, or in a job that it has set off."""
        known = len(self._raised)
        answer, performed = self._deliver(worker, delivery, seconds)
        # Following up on a job's end must not fail, so what a batch's completion raised has been logged on the way here.
        error = next(iter(self._raised[known:]), None) or performed.surprise
        if error is None:
            return answer
        # Whoever publishes takes an error of Postgres for its own, and leaves the job to the sweep.
        if isinstance(error, psycopg.Error | DatabaseUnavailable):
            told = AssertionError(f"{performed.job_type} {performed.job_id} raised {error!r}")
            told.__cause__, error = error, told
        self._raised.append(error)
        raise error


class _InlineWorker:
    """One worker, as inline mode calls it."""

    def __init__(self, worker: Worker[Any], all_of_them: InlineWorkers) -> None:
        self.config, self._worker, self._all = worker.config, worker, all_of_them

    def deliver(self, delivery: Delivery, seconds: float) -> Answer:
        """Claim and run one job within so many seconds."""
        return self._all.run(self._worker, delivery, seconds)
