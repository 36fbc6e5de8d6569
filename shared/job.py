"""The job as its handler sees it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from psycopg.pq import TransactionStatus

from shared import database, executions
from shared.database import Connection
from shared.envelope import Payload
from shared.rows import BatchMember, ClaimedJob

P = TypeVar("P", bound=Payload)


class Job(Generic[P]):
    """One attempt of one job: its payload, whose it is, and what the handler may do besides returning.

    `payload` is checked. `id` is the job's and `type` its type's name. `run` counts replays from 1; `attempt` counts all
    attempts of all runs, and `max_attempts` is how many there may be in all. `user_id`, `organization_id` and
    `idempotency_key` are as given to `enqueue`, `created_at` is when it was accepted, and `schedule_id` names the schedule
    whose run it is. What is not given is None.
    """

    def __init__(self, claimed: ClaimedJob, payload: P, seconds: float) -> None:
        self.payload = payload
        self.id, self.type, self.run, self.attempt = (
            claimed.job_id,
            claimed.job_type,
            claimed.run,
            claimed.attempt,
        )
        self.max_attempts, self.created_at = claimed.max_attempts, claimed.created_at
        self.user_id, self.organization_id = claimed.user_id, claimed.organization_id
        self.idempotency_key, self.schedule_id = claimed.idempotency_key, claimed.schedule_id
        self._completes_batch = claimed.completes_batch
        self._ends_at = time.monotonic() + seconds
        self._connection: Connection | None = None

    def batch(self) -> list[BatchMember]:
        """How each job of the batch ended that this job completes (`enqueue_batch(…, then=…)`); else an empty list.

        The results of sensitive jobs are opened: mark the completion's type too, where what it makes of them is not for
        everyone. Raises DatabaseUnavailable, or SecretUnavailable where a result cannot be opened.
        """
        batch_id = self._completes_batch
        if batch_id is None:
            return []
        return database.run(lambda connection: executions.batch_members(connection, batch_id))

    @property
    def seconds_left(self) -> float:
        """Seconds until this attempt is ended as timed out."""
        return max(self._ends_at - time.monotonic(), 0.0)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A connection whose writes commit together with `completed`, or not at all.

        Leaving the block does not commit; leaving it with an exception undoes what was written in it. Every block of
        one attempt is part of the same transaction. Raises DatabaseUnavailable.

            with job.transaction() as connection:
                connection.execute("UPDATE accounts SET credit = credit + 1 WHERE id = %s", [job.payload.account])
        """
        if self._connection is None:
            self._connection = self._begin()
        with self._connection.transaction():
            yield self._connection

    @property
    def open_transaction(self) -> Connection | None:
        """The connection that `transaction` gave out, for the worker to commit or roll back; None without one.

        Raises RuntimeError if the handler ended the transaction itself: its writes would not be tied to the job.
        """
        if self._connection is None:
            return None
        if self._connection.info.transaction_status is TransactionStatus.IDLE:
            raise RuntimeError(
                "job.transaction() was committed or rolled back by the handler; leave that to the worker"
            )
        return self._connection

    def end(self) -> None:
        """Undo what was written in `transaction` and not committed, and let its connection go."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if connection.info.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
            with suppress(Exception):  # whatever it was, the server rolls back when the connection goes
                connection.rollback()
        database.give_back(connection)

    def cut(self) -> None:
        """Close the transaction's connection at once, also in the middle of a command; the server rolls it back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            database.close(connection)

    def progress(self, done: float, total: float | None = None, message: str | None = None) -> None:
        """Show how far the job has come. On a connection of its own, so it is seen while the job runs.

            job.progress(200, 1000, "rows exported")

        Raises DatabaseUnavailable. Does nothing once the attempt is stale or the job cancelled.
        """
        shown = {"done": done, "total": total, "message": message}
        database.run(lambda connection: executions.record_progress(connection, self.id, self.attempt, shown))

    @property
    def cancelled(self) -> bool:
        """Whether this attempt has lost the job: it was cancelled, or taken over. Long handlers ask and return early."""
        standing = database.run(lambda connection: executions.find_standing(connection, self.id))
        return standing is None or standing.status != "processing" or standing.attempt != self.attempt

    def _begin(self) -> Connection:
        # Should our cancel request not get through, or this process vanish, the server ends it by itself.
        limit = int(self.seconds_left * 1000) + 1000  # milliseconds
        begin = f"BEGIN; SET LOCAL statement_timeout = {limit}; SET LOCAL idle_in_transaction_session_timeout = {limit}"
        return database.run(lambda connection: _borrow(connection, begin))


def _borrow(connection: Connection, begin: str) -> Connection:
    connection.execute(begin.encode())
    return database.borrow(connection)
