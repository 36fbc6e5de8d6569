"""A process that can be made to die anywhere, and all that production has to heal it: QStash, the sweep and time.

QStash is our server, which keeps every message until the test delivers it, in its own thread; so a delivery can die
there. Time passes by moving the rows' times back and QStash's clock forward. The sweep comes each minute.
"""

from __future__ import annotations

import importlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from infra.local.background import Background
from infra.local.qstash import QStashServer
from infra.local.qstash.records import Attempt, Message, State
from shared import database, executions, outbox, publishing, secrets
from shared.database import Connection
from shared.envelope import scheduled_job_id
from shared.fault_points import Crash, FaultPoint, armed
from shared.registry import get_job_config
from shared.rows import Execution
from shared.worker import Job, job_worker
from tests.integration.delivering import URL, Context, event
from tests.integration.jobs import Note

CALLER = "https://app.example.com/failed"  # a caller's own failure callback
HEALED_WITHIN = get_job_config(Note.job_type).timeout + 90.0  # seconds: what the delivery contract says
STEP, SWEEP_EVERY = 15, 60  # seconds
LONG_AFTER = 6 * 200  # seconds: past QStash's ten minutes of deduplication and the sweep's 15 of patience
ENDED = {"completed", "failed", "cancelled"}

_TABLES = """
CREATE TABLE effects (job_id uuid);
CREATE TABLE ends (id serial, job_id uuid, status text);
CREATE FUNCTION note_end() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO ends (job_id, status) VALUES (NEW.job_id, NEW.status); RETURN NULL; END';
CREATE TRIGGER note_end AFTER UPDATE ON job_executions FOR EACH ROW
    WHEN (NEW.status IN ('completed', 'failed', 'cancelled') AND NEW.status <> OLD.status)
    EXECUTE FUNCTION note_end();
"""


class World:
    """Our functions, QStash, Postgres and the clock. `handle` is what the job's handler does beside its effect."""

    def __init__(self, connection: Connection, background: Background) -> None:
        self.connection, self._background = connection, background
        self.qstash = QStashServer(port=0, clock=self._now)
        self.qstash.faults.delay(1e9)  # never by itself
        self._courier = self.qstash._accounts[self.qstash.token].courier
        self._reconcile = importlib.import_module("functions.reconcile.handler").handler
        self._record_failure = importlib.import_module("functions.record_failure.handler").handler
        self._work = job_worker(Note)(self._run)
        self._passed = 0.0
        self.handle: Callable[[Job[Note]], Any] = lambda _job: None
        self.url = URL  # where our functions are
        self.seconds = 60.0  # Lambda's remaining time
        self.told: list[tuple[UUID, int]] = []  # job and run, by the caller's failure callback
        connection.execute(_TABLES.encode())

    # --- dying ----------------------------------------------------------------------------------------------

    def dies(self, point: FaultPoint, work: Callable[[], object]) -> None:
        """Have a process do this and die at that point, which it must reach."""
        with armed(point), pytest.raises(Crash) as crash:
            work()
        assert crash.value.args == (point,)
        self._bury()

    def _bury(self) -> None:
        """Of a dead process Postgres rolls back what is open, and nothing that it remembered is left."""
        database.discard()
        publishing.close()
        outbox._written.clear()
        secrets._cache.clear()
        self.connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'posthaste'"
        )

    # --- healing --------------------------------------------------------------------------------------------

    def heal(self, within: float = HEALED_WITHIN) -> None:
        """Let time pass until all is over, within so many seconds; then see that it happened once and stays so."""
        for passed in range(STEP, int(within) + 1, STEP):
            self.pass_time(STEP)
            self.deliver_due()
            if passed % SWEEP_EVERY == 0:
                self.sweep()
                self.deliver_due()
            if self.is_over():
                break
        assert self.is_over(), [(row.job_id, row.status, row.error) for row in self.jobs()]
        before = self.jobs()
        for _each in range(6):
            self.pass_time(LONG_AFTER / 6)
            self.sweep()
            self.deliver_due()
        assert [standing(row) for row in self.jobs()] == [standing(row) for row in before]
        self._check()

    def is_over(self) -> bool:
        """Whether every job has ended, and whoever wants to know of a failure does."""
        return all(row.status in ENDED for row in self.jobs()) and sorted(self.told) == self._to_tell()

    def _check(self) -> None:
        """Each run has ended once; an effect is there once for each that completed; a batch has one completion."""
        for row in self.jobs():
            ends = self.ends(row.job_id)
            assert len(ends) == row.run
            assert self.effects(row.job_id) == ends.count("completed")
        fired = self.connection.execute(
            "SELECT count(*) = 1 AS once FROM job_batches JOIN job_executions ON completes_batch = job_batches.id "
            "GROUP BY job_batches.id, remaining"
        ).fetchall()
        batches = self.connection.execute("SELECT remaining FROM job_batches").fetchall()
        assert [each["once"] for each in fired] == [each["remaining"] == 0 for each in batches]
        assert self.held() == []

    def pass_time(self, seconds: float) -> None:
        self._passed += seconds
        self.connection.execute(
            "UPDATE job_executions SET lease_expires_at = lease_expires_at - make_interval(secs => %(by)s), "
            "publish_after = publish_after - make_interval(secs => %(by)s), "
            "deliver_by = deliver_by - make_interval(secs => %(by)s)",
            {"by": seconds},
        )

    def sweep(self) -> dict[str, Any]:
        done: dict[str, Any] = self._reconcile({}, Context())
        return done

    # --- QStash ---------------------------------------------------------------------------------------------

    def held(self) -> list[Message]:
        """The messages that QStash is still to deliver."""
        return list(self._courier.store.live.values())

    def deliver_due(self) -> None:
        """Deliver what is due, and what is sent meanwhile."""
        for _each in range(100):
            due = [message for message in self.held() if message.due <= self._now()]
            if not due:
                return
            self.deliver(due[0])
        raise AssertionError("messages without end")

    def deliver(self, message: Message) -> None:
        """One delivery: QStash hears the answer, or of a dead function what a function URL says then."""
        try:
            answer = self._receive(message)
        except Crash:
            self._hear(message, Attempt(502))
            raise
        headers = {name.title(): [value] for name, value in answer["headers"].items()}
        self._hear(message, Attempt(answer["statusCode"], headers, answer.get("body", "").encode()))

    def give_up(self, message: Message) -> None:
        """No delivery of a message gets through, and QStash has no retry left."""

        async def fail() -> None:
            self._courier._fail(message, Attempt(502, body=b"Internal Server Error"))

        self._background.call(fail())

    def lose(self, message: Message) -> None:
        """QStash forgets a message, and tells nobody."""

        async def finish() -> None:
            self._courier.store.finish(message, State.FAILED)

        self._background.call(finish())

    def fire(self, schedule_id: str) -> UUID:
        """Let a schedule's time come; the id of the job that its message is."""
        return scheduled_job_id(self._background.call(self.qstash.trigger(schedule_id)))

    def event(self, message: Message) -> dict[str, Any]:
        """A message as its function gets it."""
        headers = {"upstash-message-id": message.id, "upstash-schedule-id": message.schedule_id or ""}
        return event(message.body, headers=headers)

    def _receive(self, message: Message) -> dict[str, Any]:
        if message.url == CALLER:
            body = json.loads(message.body)
            self.told.append((UUID(body["jobId"]), body["run"]))
            return {"statusCode": 200, "headers": {}}
        if message.url != self.url:
            return {"statusCode": 404, "headers": {}}
        handler = self._record_failure if message.is_callback else self._work
        answer: dict[str, Any] = handler(self.event(message), Context(self.seconds))
        return answer

    def _hear(self, message: Message, attempt: Attempt) -> None:
        async def settle() -> None:
            if not message.finished:
                self._courier._settle(message, attempt)

        self._background.call(settle())

    def _now(self) -> float:
        return time.time() + self._passed

    # --- jobs -----------------------------------------------------------------------------------------------

    def _run(self, job: Job[Note]) -> Any:
        with job.transaction() as connection:
            connection.execute("INSERT INTO effects VALUES (%s)", [job.id])
        return self.handle(job)

    def overtake(self, message: Message) -> None:
        """Have another process run the job to its end, as if the lease of the attempt that calls this were over."""
        self.connection.execute("UPDATE job_executions SET lease_expires_at = now() - interval '1 second'")
        self.handle = lambda _job: None
        thread = threading.Thread(target=lambda: self._work(self.event(message), Context()))
        thread.start()
        thread.join()

    def jobs(self) -> list[Execution]:
        """All jobs, in the order of their acceptance."""
        rows = self.connection.execute("SELECT job_id FROM job_executions ORDER BY id").fetchall()
        found = [executions.find(self.connection, row["job_id"]) for row in rows]
        return [each for each in found if each is not None]

    def only_job(self) -> Execution:
        (job,) = self.jobs()
        return job

    def ends(self, job_id: UUID) -> list[str]:
        """Each end that was committed for a job."""
        rows = self.connection.execute("SELECT status FROM ends WHERE job_id = %s ORDER BY id", [job_id])
        return [row["status"] for row in rows]

    def effects(self, job_id: UUID | None = None) -> int:
        """How often what handlers wrote in their transactions is there; of all jobs, or of one."""
        row = self.connection.execute(
            "SELECT count(*) AS number FROM effects WHERE %(job_id)s::uuid IS NULL OR job_id = %(job_id)s",
            {"job_id": job_id},
        ).fetchone()
        assert row is not None
        number: int = row["number"]
        return number

    def kept_payloads(self) -> list[bool]:
        """Of each payload that Postgres keeps for schedules, the oldest first, whether it is marked as removed."""
        rows = self.connection.execute(
            "SELECT removed_at IS NOT NULL AS removed FROM schedule_payloads ORDER BY created_at"
        )
        return [row["removed"] for row in rows]

    def _to_tell(self) -> list[tuple[UUID, int]]:
        rows = self.connection.execute(
            "SELECT job_id, run FROM job_executions WHERE status = 'failed' AND failure_callback IS NOT NULL"
        )
        return sorted((row["job_id"], row["run"]) for row in rows)


def standing(job: Execution) -> tuple[str, int, int, bool]:
    """Status, attempt, publication, and whether it is known to be published."""
    return job.status, job.attempt, job.publication, job.published_at is not None
