"""The jobs of one test: looking at them, running them, and the time that passes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar
from unittest.mock import patch
from uuid import UUID, uuid4

from shared import database, dispatcher, inline, outbox
from shared.answers import Answer
from shared.envelope import Delivery, Payload
from shared.testing import environment, handlers, running
from shared.testing.enqueued import EnqueuedJob
from shared.testing.handlers import Handler
from shared.testing.looking import EnqueuedJobs
from shared.testing.qstash import CapturingQStash, capturing
from shared.testing.running import Drained, Performed
from shared.testing.table import AnyConnection, StoredJob, Table
from shared.testing.wanted import check_kind
from shared.worker import Worker

P = TypeVar("P", bound=Payload)
_LONGEST_MOVE = 3650 * 86_400.0  # seconds: as far as a job can be delayed


class Jobs(EnqueuedJobs):
    """The jobs that are enqueued while the block runs. Nothing reaches QStash, and none runs by itself.

    Reads and moves rows on `connection`, where one is given: what it has not committed is seen too. At the end what was
    committed is deleted, unless it is to be kept (`keep=True`). Raises RuntimeError without DATABASE_URL, and for a
    database that is not migrated, or whose jobs some QStash has delivered (`any_database=True` lets that pass).

        with Jobs() as jobs:
            sign_up("ada@example.com")
            jobs.assert_enqueued(SendEmail, to="ada@example.com")
            assert jobs.drain().completed == 1
    """

    def __init__(
        self, *, connection: AnyConnection | None = None, keep: bool = False, any_database: bool = False
    ) -> None:
        super().__init__(connection)
        self.qstash = CapturingQStash()
        self._keep, self._any_database = keep, any_database
        self._block = ExitStack()

    def __enter__(self) -> Self:
        """Begin: what is enqueued from here on is looked at."""
        self.qstash = CapturingQStash()
        with ExitStack() as block:
            block.enter_context(environment.isolated())
            block.enter_context(capturing(self.qstash))
            self._opened_table = Table(self._connection, any_database=self._any_database)
            if not self._keep:
                block.callback(self._opened_table.remove)
            self._block = block.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete the jobs and put the environment back."""
        self._opened_table = None  # what is deleted would be refuted
        self._block.__exit__(kind, error, trace)

    # --- running --------------------------------------------------------------------------------------------

    def use(self, kind: type[P], handler: Handler[P]) -> None:
        """Run jobs of this type by a handler: an `@job_worker`, or a function of the job, from here on.

        Without it a job is run by `functions.<name>.handler`, which must be importable.

            jobs.use(SendEmail, lambda job: Fail("no such address"))
        """
        __tracebackhide__ = True
        check_kind(kind)
        self._handlers.use(kind, handler)

    def perform(
        self,
        payload: P,
        handler: Handler[P] | None = None,
        *,
        attempt: int = 1,
        retries: int | None = None,
        user_id: int | None = None,
        organization_id: int | None = None,
        idempotency_key: str | None = None,
        seconds: float | None = None,
        catch: bool = False,
    ) -> Performed:
        """Run a handler once on a payload, as production would: both are checked, recorded and go through JSON.

        The job gets a row, is claimed, run within its timeout (or `seconds`) and finished; what the handler writes by
        `job.transaction()` is committed. `attempt` is the one to be made, those before it have failed. What the handler
        raises is raised, and an AssertionError where its result cannot be recorded, once the row says so; with `catch`
        they are only recorded. Raises InvalidJob for a payload that is no JSON, ValueError for an attempt beyond the last, or
        for the idempotency key of a job that has ended.

            performed = jobs.perform(SendSms(to="+12025551234", message="Hi"), handler, organization_id=3)
            assert performed.result == {"provider": "acme"}
        """
        __tracebackhide__ = True
        check_kind(type(payload))
        worker = (
            self._handlers.worker_of(payload.job_type)
            if handler is None
            else handlers.as_worker(type(payload), handler)
        )
        allowed = (worker.config.retries if retries is None else retries) + 1
        if not 1 <= attempt <= allowed:
            raise ValueError(f"attempt must be 1 to {allowed}: {payload.job_type} has no more")
        connection = database.connection()
        with connection.transaction():  # recorded, and left unpublished: this is its delivery
            job_id = dispatcher.enqueue(
                payload,
                user_id=user_id,
                organization_id=organization_id,
                idempotency_key=idempotency_key,
                retries=retries,
                connection=connection,
            )
        outbox.take(connection)
        if attempt > 1:
            self._table.pretend_attempts(job_id, attempt - 1)
        publication = self._publication_to_run(job_id)
        delivery = running.delivery_of(job_id, payload.job_type, publication)
        return self._attempt(worker, delivery, seconds, catch=catch)

    def drain(
        self, *kinds: type[Payload], ahead: float | timedelta = 0.0, catch: bool = False, limit: int = 1_000
    ) -> Drained:
        """Run what is due, and what that makes due, until nothing is: those due first come first.

        Jobs of these types only, or of all. Next jobs, completions of batches and jobs that handlers enqueue are run too.
        What is due later is left, unless it becomes due within `ahead` seconds: time is moved to it, as by `advance`.
        Retries come as production has them, so `ahead` decides whether they are made (math.inf: all of them).

        What a handler raises is raised at once, and an AssertionError where a job fails though its handler did not say so;
        the rest has not run then. With `catch` all is recorded and goes on. Raises AssertionError after `limit` attempts,
        and RuntimeError for jobs that their transaction has not committed.

            assert jobs.drain(ahead=timedelta(days=7)).completed == 4
        """
        __tracebackhide__ = True
        for kind in kinds:
            check_kind(kind)
        types = [kind.job_type.value for kind in kinds] or None
        left = ahead.total_seconds() if isinstance(ahead, timedelta) else ahead
        made: list[Performed] = []
        self._refuse_uncommitted(types)
        while (due := self._table.next_due(types)) is not None and due.wait <= left:
            if len(made) >= limit:
                raise AssertionError(
                    f"{limit} attempts were made, and {self._table.waiting(types)} jobs wait still, the next a "
                    f"{due.job_type}. Do they enqueue themselves? Give a smaller ahead, or a larger limit"
                )
            if due.wait > 0:
                self.advance(due.wait)
                left -= due.wait
            worker = self._handlers.worker_of(due.job_type)
            delivery = running.delivery_of(due.job_id, due.job_type, due.publication)
            made.append(self._attempt(worker, delivery, None, catch=catch))
        return Drained(made, self._table.waiting(types))

    @contextmanager
    def inline(self, *, catch: bool = False) -> Iterator[None]:
        """In the block `enqueue` runs the job at once and to its end, delays and retries included (JOB_DELIVERY=inline).

        What a handler raises comes out of `enqueue`, and further attempts are not made; with `catch` they are, as in
        production, and `enqueue` raises nothing.
        """
        deliver: handlers.Deliver = self._deliver
        workers = self._handlers if catch else handlers.InlineWorkers(self._handlers, deliver)
        with environment.delivered_inline(), patch.object(inline, "worker_of", workers.worker_of):
            yield

    def run_schedule(
        self, schedule_id: str, *, seconds: float | None = None, catch: bool = False
    ) -> Performed:
        """One run of a schedule that the test has made, as QStash would begin it. Raises LookupError, and as `perform`."""
        __tracebackhide__ = True
        schedule = self.qstash.schedules.get(schedule_id)
        if schedule is None:
            known = ", ".join(self.qstash.schedules) or "none"
            raise LookupError(f"there is no schedule {schedule_id!r}; there are {known}")
        delivery = Delivery(schedule.envelope, f"msg_{uuid4().hex}", schedule_id)
        return self._attempt(self._handlers.worker_of(schedule.job_type), delivery, seconds, catch=catch)

    # --- time -----------------------------------------------------------------------------------------------

    def advance(self, seconds: float | timedelta, *, connection: AnyConnection | None = None) -> None:
        """Let time pass for the test's jobs: what was due within so many seconds is due, leases run out.

        Postgres's clock stays; the jobs' times are set back instead, in one statement. So `created_at` and the like lie
        further back, and your own tables and `datetime.now()` stay as they are. Raises ValueError unless it is 0 to ten
        years.
        """
        by = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        if not 0 <= by <= _LONGEST_MOVE or math.isnan(by):
            raise ValueError(f"time moves by 0 to {_LONGEST_MOVE:.0f} seconds (ten years), not {seconds!r}")
        self._table.set_back(by, connection or self._connection)

    # --- within ---------------------------------------------------------------------------------------------

    def _publication_to_run(self, job_id: UUID) -> int:
        """The row's own: with an idempotency key it may be an earlier job's. Raises ValueError where that would not run."""
        __tracebackhide__ = True
        rows = self._table.accepted(job_id=job_id)
        if not rows or rows[0].status not in {"pending", "retrying"}:
            how = f"is {rows[0].status}" if rows else "was accepted before the test began"
            raise ValueError(f"the idempotency key is that of job {job_id}, which {how}: nothing would run")
        return rows[0].publication

    def _attempt(
        self, worker: Worker[Any], delivery: Delivery, seconds: float | None, *, catch: bool
    ) -> Performed:
        __tracebackhide__ = True
        performed = self._deliver(worker, delivery, worker.config.timeout if seconds is None else seconds)[1]
        if not catch and (error := performed.surprise) is not None:
            raise error
        return performed

    def _deliver(self, worker: Worker[Any], delivery: Delivery, seconds: float) -> tuple[Answer, Performed]:
        def opened(row: StoredJob) -> EnqueuedJob[Any]:
            return self._opened(row, worker.payload)

        return running.attempt(worker, delivery, seconds, self._table, opened)

    def _refuse_uncommitted(self, types: list[str] | None) -> None:
        if self._connection is None:
            return
        uncommitted = self._table.waiting(types, self._connection) - self._table.waiting(types)
        if uncommitted > 0:
            raise RuntimeError(
                f"{uncommitted} jobs are in a transaction that has not been committed: a worker, which has its own "
                "connection, cannot see them. Commit before you drain"
            )
