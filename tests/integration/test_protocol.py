"""The protocol of docs/job-lifecycle.md on real Postgres: any interleaving is sound, and each guard is needed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from shared.database import Connection
from shared.executions import statements
from tests.conftest import UrlOf, with_database
from tests.integration.protocol import (
    LATER,
    LOCK_TIMEOUT,
    MUCH_LATER,
    SOON,
    Attempt,
    Message,
    Violation,
    Walk,
)

Item = TypeVar("Item")
Script = Callable[[Walk], None]

EXAMPLES = int(os.environ.get("PROTOCOL_EXAMPLES", "0"))  # more than these few, and others each time
FEW = 80
which = st.integers(min_value=0, max_value=11)


@pytest.fixture(scope="module")
def only_walk(server_url: str, template: str, url_of: UrlOf) -> Iterator[Walk]:
    """On a database of this file's own: cloning one takes longer than most of these tests."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        server.execute(f"ALTER DATABASE {name} SET lock_timeout = '{LOCK_TIMEOUT}'".encode())
        walk = Walk(url_of(name), with_database(server_url, name))
        yield walk
        walk.close()
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def walk(only_walk: Walk) -> Walk:
    only_walk.start_anew()
    return only_walk


# --- any interleaving ---------------------------------------------------------------------------------------


class Interleaving(RuleBasedStateMachine):
    """Any step at any time, on up to three jobs and a batch."""

    walk: Walk  # the test's

    def __init__(self) -> None:
        super().__init__()
        self.walk.start_anew()
        self.left = {"cancel": 1, "reject": 1, "lose": 1}  # of what ends a job early: such a job tells little

    @precondition(lambda self: len(self.walk.job_ids) < 3)
    @rule(attempts=st.integers(1, 3))
    def enqueue(self, attempts: int) -> None:
        self.walk.enqueue(attempts)

    @precondition(lambda self: len(self.walk.job_ids) < 3)
    @rule(attempts=st.integers(1, 3))
    def start(self, attempts: int) -> None:
        self.walk.deliver(self.walk.send(attempts))

    @precondition(lambda self: not self.walk.seen.batches and self.walk.free)
    @rule(attempts=st.integers(1, 2))
    def enqueue_batch(self, attempts: int) -> None:
        self.walk.enqueue_batch(attempts)

    @precondition(lambda self: self.walk.unpublished)
    @rule(n=which)
    def publish(self, n: int) -> None:
        self.walk.publish(pick(self.walk.unpublished, n))

    @precondition(lambda self: self.walk.receipts)
    @rule(n=which)
    def stamp(self, n: int) -> None:
        self.walk.stamp(*pick(self.walk.receipts, n))

    @precondition(lambda self: self.walk.messages and self.walk.free)
    @rule(n=which)
    def deliver(self, n: int) -> None:
        self.walk.deliver(pick(self.walk.messages, n))

    @precondition(lambda self: self.walk.attempts and self.walk.free)
    @rule(n=which, step=st.sampled_from(["progress", "complete", "fail", "give_up"]))
    def overtake(self, n: int, step: str) -> None:
        slow = pick(self.walk.attempts, n)
        self.walk.pass_time(LATER)
        self.walk.deliver(slow.message)
        getattr(self.walk, step)(slow)

    @precondition(lambda self: self.walk.attempts)
    @rule(n=which, step=st.sampled_from(["write_completion", "complete", "give_up", "crash"]))
    def work(self, n: int, step: str) -> None:
        attempt = pick(self.walk.attempts, n)
        self.walk.progress(attempt)
        getattr(self.walk, step)(attempt)

    @precondition(lambda self: self.walk.attempts)
    @rule(n=which, permanent=st.booleans())
    def fail(self, n: int, permanent: bool) -> None:
        self.walk.fail(pick(self.walk.attempts, n), permanent=permanent)

    @precondition(lambda self: self.walk.attempts and self.walk.free)
    @rule(
        n=which,
        act=st.sampled_from(["deliver", "callback", "cancel", "replay", "requeue_expired", "complete"]),
    )
    def commit_beside(self, n: int, act: str) -> None:
        attempt = pick(self.walk.attempts, n)
        acts: dict[str, Callable[[], object]] = {
            "deliver": lambda: self.walk.deliver(attempt.message),
            "callback": lambda: self.walk.callback(attempt.message),
            "cancel": lambda: self.walk.cancel(attempt.job_id),
            "replay": lambda: self.walk.replay(attempt.job_id),
            "requeue_expired": self.walk.requeue_expired,
            "complete": lambda: self.walk.complete_others(attempt),
        }
        self.walk.commit_beside(attempt, acts[act])

    @precondition(lambda self: self.walk.messages)
    @rule(n=which)
    def undeliverable(self, n: int) -> None:
        self.walk.undeliverable(pick(self.walk.messages, n))

    @precondition(lambda self: self.walk.dead)
    @rule(n=which)
    def callback(self, n: int) -> None:
        self.walk.callback(pick(self.walk.dead, n))

    @precondition(lambda self: self.walk.job_ids)
    @rule(seconds=st.sampled_from([SOON, LATER, MUCH_LATER]))
    def pass_time(self, seconds: int) -> None:
        self.walk.pass_time(seconds)

    @precondition(lambda self: self.walk.job_ids)
    @rule(step=st.sampled_from(["requeue_expired", "take_unpublished", "publish_due", "settle_overdue"]))
    def reconcile(self, step: str) -> None:
        getattr(self.walk, step)()

    @precondition(lambda self: self.walk.job_ids)
    @rule(n=which)
    def replay(self, n: int) -> None:
        self.walk.replay(pick(self.walk.job_ids, n))

    @precondition(lambda self: self.walk.messages)
    @rule(n=which, how=st.sampled_from(["cancel", "reject", "lose"]))
    def end_early(self, n: int, how: str) -> None:
        on: dict[str, Sequence[Any]] = {
            "cancel": self.walk.job_ids,
            "reject": self.walk.unpublished,
            "lose": self.walk.messages,
        }
        self.left[how] -= 1
        if self.left[how] >= 0:
            getattr(self.walk, how)(pick(on[how], n))

    def teardown(self) -> None:
        if self.walk.is_sound:
            self.walk.heal()


def test_any_interleaving_is_sound_and_ends(walk: Walk) -> None:
    Interleaving.walk = walk
    run_state_machine_as_test(
        Interleaving,
        settings=settings(
            max_examples=EXAMPLES or FEW,
            stateful_step_count=40,
            derandomize=not EXAMPLES,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        ),
    )


# --- each guard is needed -----------------------------------------------------------------------------------


def begin(walk: Walk, message: Message) -> Attempt:
    attempt = walk.deliver(message)
    assert attempt is not None
    return attempt


def lose_attempt(walk: Walk, attempts: int = 2) -> Message:
    """A worker crashes, and its lease expires."""
    message = walk.send(attempts)
    walk.crash(begin(walk, message))
    walk.pass_time(LATER)
    return message


def overtaken(step: str) -> Script:
    """A slow worker goes on after another has taken over."""

    def play(walk: Walk) -> None:
        message = walk.send()
        slow = begin(walk, message)
        walk.pass_time(LATER)
        begin(walk, message)
        getattr(walk, step)(slow)

    return play


def cancelled(step: str) -> Script:
    """A worker goes on after an operator has cancelled its job."""

    def play(walk: Walk) -> None:
        attempt = begin(walk, walk.send())
        walk.cancel(attempt.job_id)
        getattr(walk, step)(attempt)

    return play


def delivered_twice(walk: Walk) -> None:
    message = walk.send()
    begin(walk, message)
    walk.deliver(message)


def lost_and_delivered(walk: Walk) -> None:
    walk.deliver(lose_attempt(walk, attempts=1))


def lost_and_requeued(walk: Walk) -> None:
    lose_attempt(walk)
    walk.requeue_expired()


def lost_for_good(walk: Walk) -> None:
    lose_attempt(walk, attempts=1)
    walk.requeue_expired()


def lost_with_its_message(walk: Walk) -> None:
    walk.lose(lose_attempt(walk))


def delivered_after_requeue(walk: Walk) -> None:
    message = lose_attempt(walk)
    walk.requeue_expired()
    walk.deliver(message)


def stamped_after_requeue(walk: Walk) -> None:
    walk.enqueue()
    message = walk.publish(walk.unpublished[-1])
    walk.crash(begin(walk, message))
    walk.pass_time(LATER)
    walk.requeue_expired()
    walk.stamp(*walk.receipts[-1])


def delivered_unstamped(walk: Walk) -> None:
    walk.enqueue()
    begin(walk, walk.publish(walk.unpublished[-1]))


def stamped_late(walk: Walk) -> None:
    delivered_unstamped(walk)
    walk.complete(walk.attempts[-1])
    walk.stamp(*walk.receipts[-1])


def failed_at_its_last(walk: Walk) -> None:
    walk.fail(begin(walk, walk.send(attempts=1)))


def called_back_while_running(walk: Walk) -> None:
    message = walk.send()
    begin(walk, message)
    walk.undeliverable(message)
    walk.callback(message)


def called_back_after_the_end(walk: Walk) -> None:
    message = walk.send()
    attempt = begin(walk, message)
    walk.undeliverable(message)
    walk.complete(attempt)
    walk.callback(message)


def called_back(walk: Walk) -> None:
    message = walk.send()
    walk.undeliverable(message)
    walk.callback(message)


def called_back_twice(walk: Walk) -> None:
    called_back(walk)
    walk.callback(walk.messages[-1])


def never_delivered(walk: Walk) -> None:
    called_back(walk)
    for _ in range(4):
        walk.pass_time(MUCH_LATER)
        walk.publish_due()
        walk.undeliverable(walk.messages[-1])
        walk.callback(walk.messages[-1])


def requeued_while_running(walk: Walk) -> None:
    begin(walk, walk.send())
    walk.requeue_expired()


def requeued_beside_its_commit(walk: Walk) -> None:
    slow = begin(walk, walk.send())
    walk.pass_time(LATER)
    walk.commit_beside(slow, walk.requeue_expired)


def replayed_after_completion(walk: Walk) -> None:
    walk.complete(begin(walk, walk.send()))
    walk.replay(walk.job_ids[0])


def replayed(walk: Walk) -> None:
    walk.fail(begin(walk, walk.send()), permanent=True)
    walk.replay(walk.job_ids[0])


def replayed_and_rejected(walk: Walk) -> None:
    replayed(walk)
    walk.reject(walk.unpublished[-1])


def rejected_though_published(walk: Walk) -> None:
    walk.send()
    walk.reject(walk.unpublished[-1])


def rejected_after_the_callback(walk: Walk) -> None:
    called_back(walk)
    walk.reject(walk.unpublished[-1])


def rejected_after_cancel(walk: Walk) -> None:
    walk.cancel(walk.enqueue())
    walk.reject(walk.unpublished[-1])


def cancelled_after_completion(walk: Walk) -> None:
    walk.complete(begin(walk, walk.send()))
    walk.cancel(walk.job_ids[0])


def accepted(walk: Walk) -> None:
    walk.enqueue()


def lost_by_qstash(walk: Walk) -> None:
    walk.lose(walk.send())


def run_members(walk: Walk) -> list[Attempt]:
    walk.enqueue_batch()
    return [begin(walk, walk.publish(job)) for job in walk.unpublished]


def batch_fails(walk: Walk) -> None:
    for member in run_members(walk):
        walk.fail(member)


def batch_member_replayed(walk: Walk) -> None:
    walk.fail(run_members(walk)[0])
    walk.replay(walk.job_ids[0])


def batch_replayed(walk: Walk) -> None:
    batch_fails(walk)
    walk.replay(walk.job_ids[0])
    walk.complete(begin(walk, walk.publish_latest()))


def batch_ends_at_once(walk: Walk) -> None:
    first, second = run_members(walk)
    walk.commit_beside(first, lambda: walk.complete(second))


STALE = "a stale attempt changed the row"
OVERWRITTEN = "a terminal status was written over"
DISTURBED = "changed under a running attempt"
KNOWN = "given back under a publication that QStash knows"
REJECTED = "rejected what may have got through"
NO_ATTEMPT = "waits with no attempt left"
REMAINING = "remaining is not the number of open members"

BY_ATTEMPT = {"attempt = %(attempt)s AND": ""}
BY_STATUS = {" AND status = 'processing'": ""}
BY_PUBLICATION = {" AND publication = %(publication)s": ""}
NO_COUNT = {"BEGIN\n": "BEGIN RETURN NULL;\n"}
ONCE = {" AND fired_at IS NULL": ""}


@dataclass(frozen=True)
class Guard:
    """What is taken out of a statement, or of a trigger's function; what then happens; and what is wrong with that."""

    name: str
    where: str
    edits: Mapping[str, str]
    play: Script
    violation: str


GUARDS = [
    Guard("attempt", "complete_job", BY_ATTEMPT, overtaken("complete"), STALE),
    Guard("attempt", "record_failed_attempt", BY_ATTEMPT, overtaken("fail"), STALE),
    Guard("attempt", "cancel_attempt", BY_ATTEMPT, overtaken("give_up"), STALE),
    Guard("attempt", "record_progress", BY_ATTEMPT, overtaken("progress"), STALE),
    Guard("status", "complete_job", BY_STATUS, cancelled("complete"), OVERWRITTEN),
    Guard("status", "record_failed_attempt", BY_STATUS, cancelled("fail"), OVERWRITTEN),
    Guard("status", "cancel_attempt", BY_STATUS, cancelled("give_up"), OVERWRITTEN),
    Guard("status", "record_progress", BY_STATUS, cancelled("progress"), STALE),
    Guard(
        "status",
        "cancel_job",
        {"status IN ('pending', 'retrying', 'processing')": "true"},
        cancelled_after_completion,
        OVERWRITTEN,
    ),
    Guard(
        "used up",
        "record_failed_attempt",
        {" OR attempt >= max_attempts": ""},
        failed_at_its_last,
        NO_ATTEMPT,
    ),
    Guard("publication", "claim_job", BY_PUBLICATION, delivered_after_requeue, "an older publication ran"),
    Guard(
        "lease",
        "claim_job",
        {" AND lease_expires_at < clock_timestamp()": ""},
        delivered_twice,
        "two attempts at once",
    ),
    Guard(
        "used up",
        "claim_job",
        {
            "attempt < max_attempts": "true",
            "attempt >= max_attempts": "false",
            "least(attempt + 1, max_attempts)": "attempt + 1",
        },
        lost_and_delivered,
        "the table refused it: attempt_within_max",
    ),
    Guard(
        "a delivery proves a publication",
        "claim_job",
        {"published_at = coalesce(published_at, clock_timestamp()),": ""},
        delivered_unstamped,
        "runs and is not known to be published",
    ),
    Guard(
        "not while it runs",
        "settle_failure",
        {
            "status IN ('pending', 'retrying')": "status IN ('pending', 'retrying', 'processing')",
            "dlq_id = %(dlq_id)s,": "dlq_id = %(dlq_id)s, lease_expires_at = NULL,",
        },
        called_back_while_running,
        DISTURBED,
    ),
    Guard(
        "not once it has ended",
        "settle_failure",
        {" AND status IN ('pending', 'retrying')": ""},
        called_back_after_the_end,
        OVERWRITTEN,
    ),
    Guard(
        "publication",
        "settle_failure",
        BY_PUBLICATION,
        called_back_twice,
        "an older publication's callback counted",
    ),
    Guard(
        "attempts are left",
        "settle_failure",
        {"attempt >= max_attempts OR undelivered >= 5": "true"},
        called_back,
        "failed with attempts left",
    ),
    Guard(
        "the fifth", "settle_failure", {" OR undelivered >= 5": ""}, never_delivered, "the table refused it"
    ),
    Guard(
        "new publication",
        "settle_failure",
        {
            "publication + CASE WHEN attempt >= max_attempts OR undelivered >= 5 THEN 0 ELSE 1 END": "publication"
        },
        called_back,
        KNOWN,
    ),
    Guard(
        "new publication",
        "requeue_expired",
        {"publication + CASE WHEN expired.final THEN 0 ELSE 1 END": "publication"},
        lost_and_requeued,
        KNOWN,
    ),
    Guard("new publication", "replay_jobs", {"publication + 1": "publication"}, replayed, KNOWN),
    Guard(
        "unpublished",
        "requeue_expired",
        {"published_at = CASE WHEN expired.final THEN published_at END,": ""},
        lost_and_requeued,
        "a new publication counts as published",
    ),
    Guard(
        "lease",
        "requeue_expired",
        {
            " AND lease_expires_at < statement_timestamp()": "",
            " AND lease_expires_at < clock_timestamp()": "",
        },
        requeued_while_running,
        DISTURBED,
    ),
    Guard(  # either alone is enough
        "lock and re-check",
        "requeue_expired",
        {
            "FOR UPDATE SKIP LOCKED": "",
            " AND status = 'processing' AND lease_expires_at < clock_timestamp()": "",
        },
        requeued_beside_its_commit,
        "the effects are not those of the completed jobs",
    ),
    Guard(
        "used up",
        "requeue_expired",
        {"attempt >= max_attempts AS final": "false AS final"},
        lost_for_good,
        NO_ATTEMPT,
    ),
    Guard(
        "at all",
        "requeue_expired",
        {"lease_expires_at < statement_timestamp()": "false"},
        lost_with_its_message,
        "processing is stuck",
    ),
    Guard(
        "publication",
        "stamp_publications",
        {" AND job_executions.publication = taken.publication": ""},
        stamped_after_requeue,
        "a late stamp counted",
    ),
    Guard(
        "unstamped",
        "stamp_publications",
        {"AND published_at IS NULL": ""},
        stamped_late,
        "a late stamp counted",
    ),
    Guard(
        "only what has ended",
        "replay_jobs",
        {
            "(status = 'failed' OR (status = 'cancelled' AND %(job_ids)s::uuid[] IS NOT NULL))": "true",
            " AND status IN ('failed', 'cancelled')": "",
        },
        replayed_after_completion,
        OVERWRITTEN,
    ),
    Guard(
        "unpublished",
        "reject_publication",
        {" AND published_at IS NULL": ""},
        rejected_though_published,
        REJECTED,
    ),
    Guard("never attempted", "reject_publication", {" AND attempt = 0": ""}, replayed_and_rejected, REJECTED),
    Guard("publication", "reject_publication", BY_PUBLICATION, rejected_after_the_callback, REJECTED),
    Guard(
        "pending", "reject_publication", {"status = 'pending' AND ": ""}, rejected_after_cancel, OVERWRITTEN
    ),
    Guard(
        "at all",
        "take_unpublished",
        {"publish_after <= statement_timestamp()": "false"},
        accepted,
        "pending is stuck",
    ),
    Guard(
        "at all",
        "take_overdue",
        {"deliver_by <= statement_timestamp()": "false"},
        lost_by_qstash,
        "pending is stuck",
    ),
    Guard("at all", "count_ended_batch_member()", NO_COUNT, batch_fails, REMAINING),
    Guard("at all", "count_replayed_batch_member()", NO_COUNT, batch_member_replayed, REMAINING),
    Guard("once", "count_ended_batch_member()", ONCE, batch_replayed, "refused it: remaining_within_total"),
    Guard(
        "once", "count_replayed_batch_member()", ONCE, batch_replayed, "refused it: fired_when_all_have_ended"
    ),
    Guard(
        "counted under its lock",
        "count_ended_batch_member()",
        {
            "remaining - 1": "(SELECT remaining - 1 FROM job_batches WHERE id = NEW.batch_id)",
            "WHEN remaining = 1": "WHEN (SELECT remaining FROM job_batches WHERE id = NEW.batch_id) = 1",
        },
        batch_ends_at_once,
        REMAINING,
    ),
]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.where}: {guard.name}")
def test_each_guard_is_needed(guard: Guard, walk: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    play_to_the_end(guard, walk)
    walk.start_anew()
    with taken_out(guard, walk.connection, monkeypatch), pytest.raises(Violation, match=guard.violation):
        play_to_the_end(guard, walk)


def play_to_the_end(guard: Guard, walk: Walk) -> None:
    guard.play(walk)
    walk.heal()


@contextmanager
def taken_out(guard: Guard, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if guard.where.endswith("()"):
        definition = f"SELECT pg_get_functiondef('{guard.where}'::regprocedure) AS text"
        (row,) = connection.execute(definition.encode()).fetchall()
        connection.execute(edited(row["text"], guard.edits).encode())
        try:
            yield
        finally:
            connection.execute(row["text"].encode())
    else:
        read = statements.sql
        broken = edited(read(guard.where), guard.edits)
        monkeypatch.setattr(statements, "sql", lambda name: broken if name == guard.where else read(name))
        yield


def edited(text: str, edits: Mapping[str, str]) -> str:
    for old, new in edits.items():
        assert old in text, f"the statement has changed its shape: {old!r} is not in it"
        text = text.replace(old, new)
    return text


def pick(some: Sequence[Item], n: int) -> Item:
    """The latest are the most interesting."""
    return some[-1 - n % len(some)]
