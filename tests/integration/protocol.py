"""Walks the life of jobs step by step, by the product's own statements, and checks after each what must never happen.

QStash is played in memory: it loses, repeats and delays what it likes. Time passes by moving the rows' times back.
"""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from shared import executions
from shared.database import Connection
from shared.rows import NewJob, Receipt, UnpublishedJob

Row = dict[str, Any]

LOCK_TIMEOUT = "25ms"  # who would wait for another's commit is cut off instead
LEASE = 610.0  # seconds
SOON, LATER, MUCH_LATER = 20, 1_200, 10_800  # an outbox row is due; a lease or a message is; anything is
WINDOW = 600.0  # in which QStash swallows a repeated deduplication id
TRIES = 3  # deliveries of one message
WORKERS = 3
ROUNDS = 8  # in which everything must have ended, once nothing more goes wrong
ENDED = {"completed", "failed", "cancelled"}


class Violation(AssertionError):
    """What must never happen has."""


@dataclass(eq=False)
class Message:
    """What QStash holds of one publication."""

    job_id: UUID
    publication: int
    sent_at: float
    id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")
    tries: int = TRIES
    is_over: bool = False
    is_dead: bool = False

    def answered(self, status: int) -> None:
        """QStash has heard how a delivery went."""
        if not self.is_over:
            self.tries -= 1
            self.is_over = status in {200, 489} or self.tries == 0
            self.is_dead = self.is_over and status != 200


@dataclass(eq=False)
class Attempt:
    """A worker in the middle of a job, with a transaction of its own."""

    message: Message
    run: int
    number: int
    lease_ends: float
    connection: Connection
    has_written: bool = False

    @property
    def job_id(self) -> UUID:
        return self.message.job_id


@dataclass(frozen=True)
class Act:
    """Who does what to which job."""

    by: str
    job_id: UUID | None = None
    attempt: int | None = None
    publication: int | None = None
    is_permanent: bool = False


@dataclass(frozen=True)
class Seen:
    """What is committed."""

    jobs: dict[UUID, Row]
    batches: list[Row]
    effects: list[tuple[UUID, int, int]]  # job, run, attempt


class Walk:
    """One step a method. Raises Violation for what must never happen.

    `database_url` may be a pooler's, `direct_url` not; both are of one database, whose lock_timeout is LOCK_TIMEOUT.
    """

    def __init__(self, database_url: str, direct_url: str) -> None:
        def connect(url: str, *, autocommit: bool, options: str = "") -> Connection:
            return psycopg.connect(
                url, autocommit=autocommit, row_factory=dict_row, prepare_threshold=None, options=options
            )

        self._impatient = connect(database_url, autocommit=True)
        self._patient = connect(direct_url, autocommit=True, options="-c lock_timeout=20s")
        self._workers = [connect(database_url, autocommit=False) for _ in range(WORKERS)]
        self._impatient.execute(
            "CREATE TABLE IF NOT EXISTS effects (job_id uuid, run integer, attempt integer)"
        )
        self.start_anew()

    def start_anew(self) -> None:
        """Forget every job."""
        for worker in self._workers:
            worker.rollback()
        self.connection = self._impatient
        self.connection.execute("TRUNCATE job_executions, job_batches, effects")
        self.now = 0.0
        self.is_sound = True
        self.is_healing = False
        self.free = list(self._workers)
        self.attempts: list[Attempt] = []
        self.messages: list[Message] = []
        self.unpublished: list[UnpublishedJob] = []  # taken by a producer or by reconcile, to be published
        self.receipts: list[tuple[UnpublishedJob, Message]] = []
        self._committing: UUID | None = None
        self._begun: set[tuple[UUID, int]] = set()  # publications in which an attempt began
        self._undelivered: defaultdict[UUID, set[int]] = defaultdict(set)  # since the latest attempt
        self.seen = self._look()

    def close(self) -> None:
        for connection in (*self._workers, self._impatient, self._patient):
            connection.close()

    @property
    def job_ids(self) -> list[UUID]:
        return list(self.seen.jobs)

    @property
    def dead(self) -> list[Message]:
        return [each for each in self.messages if each.is_dead]

    # --- accepting and publishing ---------------------------------------------------------------------------

    def enqueue(self, attempts: int = 2) -> UUID:
        job = _new_job(attempts)
        with self._step("enqueue", job.job_id):
            self.unpublished += executions.insert(self.connection, [job], 604_800)
        return job.job_id

    def enqueue_batch(self, attempts: int = 1) -> list[UUID]:
        """Two members and the job that completes them."""
        batch_id = uuid.uuid4()
        members = [_new_job(attempts, batch_id), _new_job(attempts, batch_id)]
        with self._step("enqueue"), self.connection.transaction():
            executions.insert_batch(self.connection, batch_id, len(members), _new_job(2), 604_800)
            self.unpublished += executions.insert(self.connection, members, 604_800)
        return [each.job_id for each in members]

    def publish(self, job: UnpublishedJob) -> Message:
        """QStash takes the message, or swallows it as one that it has seen. While healing, it never forgets one."""
        for known in self.messages:
            if (known.job_id, known.publication) == (job.job_id, job.publication) and (
                self.is_healing or self.now - known.sent_at < WINDOW
            ):
                break
        else:
            known = Message(job.job_id, job.publication, self.now)
            self.messages.append(known)
        self.receipts.append((job, known))
        return known

    def stamp(self, job: UnpublishedJob, message: Message) -> None:
        with self._step("stamp", job.job_id, publication=job.publication):
            executions.stamp_publications(self.connection, [(job, Receipt(message.id))])

    def reject(self, job: UnpublishedJob) -> None:
        with self._step("reject", job.job_id, publication=job.publication):
            executions.reject_publication(self.connection, job.job_id, job.publication, "refused for good")

    def send(self, attempts: int = 2) -> Message:
        """Enqueue, publish and stamp a job."""
        self.enqueue(attempts)
        return self.publish_latest()

    def publish_latest(self) -> Message:
        message = self.publish(self.unpublished[-1])
        self.stamp(self.unpublished[-1], message)
        return message

    # --- running --------------------------------------------------------------------------------------------

    def deliver(self, message: Message) -> Attempt | None:
        """One delivery as far as the handler; None where there is nothing to run."""
        claimed = None
        with self._step("claim", message.job_id, publication=message.publication):
            claimed = executions.claim(
                self.connection, message.job_id, message.publication, lease=LEASE, message_id=message.id
            )
        if claimed is None or claimed.status == "failed":
            message.answered(self._answer_standing(message))
            return None
        attempt = Attempt(message, claimed.run, claimed.attempt, self.now + LEASE, self.free.pop())
        self.attempts.append(attempt)
        return attempt

    def complete(self, attempt: Attempt) -> None:
        self.write_completion(attempt)
        if attempt in self.attempts:
            self.commit(attempt)

    def complete_others(self, attempt: Attempt) -> None:
        for other in list(self.attempts):
            if other is not attempt:
                self.complete(other)

    def write_completion(self, attempt: Attempt) -> None:
        """Write an effect and `completed` in the attempt's transaction, and don't commit; a stale one is rolled back."""
        if attempt.has_written:
            return
        ended = None
        with self._step_of(attempt):
            values = (attempt.job_id, attempt.run, attempt.number)
            attempt.connection.execute("INSERT INTO effects VALUES (%s, %s, %s)", values)
            ended = executions.complete(attempt.connection, attempt.job_id, attempt.number, "null")
        attempt.has_written = ended is not None
        if ended is None:
            self._end(attempt, self._answer_standing(attempt.message))

    def commit(self, attempt: Attempt) -> None:
        with self._step_of(attempt):
            attempt.connection.commit()
        self._end(attempt, 200)

    def commit_beside(self, attempt: Attempt, act: Callable[[], object]) -> None:
        """Commit a completion while `act` waits for it, or once it has passed it over."""
        self.write_completion(attempt)
        if attempt not in self.attempts:
            return
        self.connection = self._patient
        for other in self.attempts:
            other.connection.execute("SET LOCAL lock_timeout = '20s'")
        self._committing = attempt.job_id
        with ThreadPoolExecutor(1) as pool:
            acting = pool.submit(act)
            while not acting.done() and not self._is_waited_for(attempt):
                time.sleep(0.001)
            attempt.connection.commit()
            acting.result(20)
        self._committing = None
        self.connection = self._impatient
        self.commit(attempt)

    def fail(self, attempt: Attempt, *, permanent: bool = False) -> None:
        attempt.connection.rollback()
        ended = None
        with self._step_of(attempt, is_permanent=permanent):
            ended = executions.record_failed_attempt(
                self.connection, attempt.job_id, attempt.number, type="E", message="no", permanent=permanent
            )
        self._end(
            attempt, {"retrying": 500, "failed": 489}[ended.status] if ended else self._standing_of(attempt)
        )

    def give_up(self, attempt: Attempt) -> None:
        """The handler finds its job pointless."""
        attempt.connection.rollback()
        ended = None
        with self._step_of(attempt):
            ended = executions.cancel_attempt(self.connection, attempt.job_id, attempt.number, "pointless")
        self._end(attempt, 200 if ended else self._standing_of(attempt))

    def progress(self, attempt: Attempt) -> None:
        with self._step_of(attempt):
            executions.record_progress(
                self.connection, attempt.job_id, attempt.number, {"at": attempt.number}
            )

    def crash(self, attempt: Attempt) -> None:
        self._end(attempt, 502)

    # --- acting on jobs -------------------------------------------------------------------------------------

    def cancel(self, job_id: UUID) -> None:
        with self._step("cancel", job_id):
            executions.cancel(self.connection, job_id, "not wanted")

    def replay(self, job_id: UUID) -> None:
        with self._step("replay", job_id):
            self.unpublished += executions.replay(self.connection, limit=1, job_ids=[job_id])

    # --- healing --------------------------------------------------------------------------------------------

    def lose(self, message: Message) -> None:
        """QStash gives a message up, and its failure callback never comes."""
        message.is_over = True

    def undeliverable(self, message: Message) -> None:
        """No delivery gets through: the function does not start."""
        while not message.is_over:
            message.answered(503)

    def callback(self, message: Message) -> None:
        with self._step("callback", message.job_id, publication=message.publication):
            executions.settle_failure(
                self.connection, message.job_id, message.publication, message="gone", dlq_id=None
            )

    def settle_overdue(self) -> None:
        """Settle what should have been delivered by now and QStash does not hold."""
        overdue = []
        with self._step("reconcile"):
            overdue = executions.take_overdue(self.connection, 100)
        held = {each.id for each in self.messages if not each.is_over}
        for job in overdue:
            if job.qstash_message_id not in held:
                self.callback(Message(job.job_id, job.publication, self.now))

    def requeue_expired(self) -> None:
        with self._step("reconcile"):
            executions.requeue_expired(self.connection, 100)

    def take_unpublished(self) -> None:
        with self._step("reconcile"):
            self.unpublished += executions.take_unpublished(self.connection, 100)

    def publish_due(self) -> None:
        """The outbox from end to end."""
        known = len(self.unpublished)
        self.take_unpublished()
        for job in self.unpublished[known:]:
            self.stamp(job, self.publish(job))

    def pass_time(self, seconds: int) -> None:
        with self._step("time"):
            self.connection.execute(
                "UPDATE job_executions SET lease_expires_at = lease_expires_at - make_interval(secs => %(by)s), "
                "publish_after = publish_after - make_interval(secs => %(by)s), "
                "deliver_by = deliver_by - make_interval(secs => %(by)s)",
                {"by": seconds},
            )
            self.now += seconds

    def heal(self) -> None:
        """From here on nothing goes wrong but what already has: reconcile and time must bring every job to its end."""
        for attempt in list(self.attempts):
            self.crash(attempt)
        self.is_healing = True
        for _ in range(ROUNDS):
            self.pass_time(MUCH_LATER)
            self.requeue_expired()
            self.settle_overdue()
            self.pass_time(MUCH_LATER)
            self.publish_due()
            for message in [each for each in self.messages if not each.is_over]:
                if attempt_now := self.deliver(message):
                    self.complete(attempt_now)
        self._raise(
            [f"{row['status']} is stuck" for row in self.seen.jobs.values() if row["status"] not in ENDED]
        )
        self._raise(["the completion job is stuck" for each in self.seen.batches if each["fired_at"] is None])

    # --- checking -------------------------------------------------------------------------------------------

    @contextmanager
    def _step(self, by: str, job_id: UUID | None = None, **about: Any) -> Iterator[None]:
        act = Act(by, job_id, **about)
        try:
            yield
        except psycopg.errors.LockNotAvailable:
            pass
        except psycopg.IntegrityError as error:
            self._raise([f"the table refused it: {error.diag.constraint_name or error.diag.column_name}"])
        before, self.seen = self.seen, self._look()
        for known, old in before.jobs.items():
            new = self.seen.jobs[known]
            self._note(act, old, new)
            if known == self._committing:  # two acts in one: only the sums can tell
                continue
            self._raise(broken_rules(act, old, new, self._is_running(old), len(self._undelivered[known])))
        self._raise(broken_sums(before, self.seen))

    def _step_of(self, attempt: Attempt, **about: Any) -> AbstractContextManager[None]:
        return self._step("worker", attempt.job_id, attempt=attempt.number, **about)

    def _raise(self, broken: list[str]) -> None:
        if broken:
            self.is_sound = False
            raise Violation("; ".join(broken))

    def _look(self) -> Seen:
        jobs = self.connection.execute("SELECT * FROM job_executions ORDER BY id").fetchall()
        batches = self.connection.execute("SELECT * FROM job_batches").fetchall()
        effects = self.connection.execute("SELECT job_id, run, attempt FROM effects").fetchall()
        return Seen({row["job_id"]: row for row in jobs}, batches, [_number(row) for row in effects])

    def _note(self, act: Act, old: Row, new: Row) -> None:
        job_id, publication = old["job_id"], old["publication"]
        if new["run"] > old["run"]:
            self._undelivered[job_id].clear()
        elif new["attempt"] > old["attempt"]:
            self._undelivered[job_id].clear()
            self._begun.add((job_id, publication))
        elif act.by == "callback" and new != old and (job_id, publication) not in self._begun:
            self._undelivered[job_id].add(publication)

    def _is_running(self, row: Row) -> bool:
        return row["status"] == "processing" and any(
            (each.job_id, each.number) == (row["job_id"], row["attempt"]) and self.now < each.lease_ends
            for each in self.attempts
        )

    def _is_waited_for(self, attempt: Attempt) -> bool:
        waiting = "SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        return attempt.connection.execute(waiting).fetchone() is not None

    def _answer_standing(self, message: Message) -> int:
        """The answer to a delivery that has nothing to run, or whose attempt has become stale."""
        row = self.seen.jobs[message.job_id]
        if row["status"] in ENDED:
            return 489 if row["status"] == "failed" else 200
        return 200 if message.publication < row["publication"] else 503

    def _standing_of(self, attempt: Attempt) -> int:
        return self._answer_standing(attempt.message)

    def _end(self, attempt: Attempt, status: int) -> None:
        attempt.connection.rollback()
        self.free.append(attempt.connection)
        self.attempts.remove(attempt)
        attempt.message.answered(status)


def broken_rules(act: Act, old: Row, new: Row, is_running: bool, undelivered: int) -> list[str]:
    """What one step must not do to one job. `is_running`: an attempt holds it under a lease that has not expired."""
    changed = {name for name in old if old[name] != new[name]}
    moved = changed & {"status", "run", "attempt", "max_attempts", "publication", "completed_at", "result"}
    is_own = act.attempt == old["attempt"] and old["status"] == "processing"
    is_replay = (
        act.by == "replay" and old["status"] in {"failed", "cancelled"} and new["run"] == old["run"] + 1
    )
    is_current = act.publication == old["publication"]
    is_unstamped = is_current and old["published_at"] is None
    never_ran = old["status"] == "pending" and old["attempt"] == 0
    given_back = (old["published_at"] and not new["published_at"]) or new["run"] > old["run"]
    has_attempts = new["attempt"] < new["max_attempts"]
    may_fail = act.is_permanent or act.by == "reject" or (act.by == "callback" and undelivered >= 5)
    rules: dict[str, object] = {
        "a terminal status was written over": old["status"] in ENDED and moved and not is_replay,
        "attempt went back": new["attempt"] < old["attempt"],
        "publication went back": new["publication"] < old["publication"],
        "two attempts at once": is_running and new["attempt"] > old["attempt"],
        "changed under a running attempt": is_running and moved and not is_own and act.by != "cancel",
        "a stale attempt changed the row": act.by == "worker" and changed and not is_own,
        "an older publication ran": act.by == "claim" and changed and not is_current,
        "an older publication's callback counted": act.by == "callback" and changed and not is_current,
        "a late stamp counted": act.by == "stamp" and changed and not is_unstamped,
        "rejected what may have got through": act.by == "reject"
        and changed
        and not (is_unstamped and never_ran),
        "given back under a publication that QStash knows": given_back
        and new["publication"] == old["publication"],
        "a new publication counts as published": new["publication"] > old["publication"]
        and new["published_at"],
        "failed with attempts left": "status" in changed
        and new["status"] == "failed"
        and has_attempts
        and not may_fail,
        "waits with no attempt left": new["status"] in {"pending", "retrying"} and not has_attempts,
        "runs and is not known to be published": new["status"] == "processing" and not new["published_at"],
    }
    if act.job_id not in {None, old["job_id"]}:
        return ["another job changed"] if changed else []
    return [rule for rule, is_broken in rules.items() if is_broken]


def broken_sums(before: Seen, after: Seen) -> list[str]:
    """What must hold across rows."""
    rows = after.jobs.values()
    broken = []
    if sorted(after.effects) != sorted(_number(row) for row in rows if row["status"] == "completed"):
        broken.append("the effects are not those of the completed jobs")
    for batch in after.batches:
        open_members = sum(row["batch_id"] == batch["id"] and row["status"] not in ENDED for row in rows)
        completions = [row["job_id"] for row in rows if row["completes_batch"] == batch["id"]]
        if len(completions) > 1:
            broken.append("a second completion job")
        if open_members and set(completions) - before.jobs.keys():
            broken.append("completion job while a member is open")
        if batch["fired_at"] is None and batch["remaining"] != open_members:
            broken.append("remaining is not the number of open members")
    return broken


def _number(row: Row) -> tuple[UUID, int, int]:
    return row["job_id"], row["run"], row["attempt"]


def _new_job(attempts: int, batch_id: UUID | None = None) -> NewJob:
    return NewJob(uuid.uuid4(), "crm-match", {}, attempts, {"attempts": attempts}, batch_id=batch_id)
