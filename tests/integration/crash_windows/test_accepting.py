"""Whoever accepts jobs, or acts on them, dies."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from shared import dispatcher, relay
from shared.dispatcher import cancel, enqueue, enqueue_batch, enqueue_many, replay, retry
from shared.errors import ScheduleNotFound
from shared.fault_points import FaultPoint
from shared.outcomes import Fail
from shared.schedules import schedule, unschedule
from tests.integration.crash_windows.world import CALLER, World, standing
from tests.integration.jobs import Note

YEARLY = "0 0 1 1 *"

at = pytest.mark.parametrize
ACCEPTED, IN_THE_OUTBOX = ("pending", 0, 1, True), ("pending", 0, 1, False)


# --- accepting and publishing -------------------------------------------------------------------------------


@at("point", [FaultPoint.RECORDED])
@at("enqueueing", [lambda: enqueue(Note()), lambda: enqueue_many([Note()])], ids=["one", "many"])
def test_accepted_and_not_published(world: World, point: FaultPoint, enqueueing: Any) -> None:
    world.dies(point, enqueueing)
    assert (standing(world.only_job()), world.held()) == (IN_THE_OUTBOX, [])
    world.heal()
    assert standing(world.only_job()) == ("completed", 1, 1, True)


@at("point", [FaultPoint.PUBLISHED])
@at("sweeps_first", [False, True])
def test_published_and_not_stamped(world: World, point: FaultPoint, sweeps_first: bool) -> None:
    world.dies(point, lambda: enqueue(Note()))
    assert (standing(world.only_job()), len(world.held())) == (IN_THE_OUTBOX, 1)
    if sweeps_first:
        world.pass_time(60)
        assert world.sweep()["published"] == 1
        assert (standing(world.only_job()), len(world.held())) == (ACCEPTED, 1)  # swallowed
    world.heal()
    assert standing(world.only_job()) == ("completed", 1, 1, True)


@at("point", [FaultPoint.REFUSED])
def test_refused_and_not_failed(world: World, point: FaultPoint) -> None:
    world.qstash.faults.refuse_publish(400, times=3)  # the caller's, and a sweep's two: together and alone
    world.dies(point, lambda: enqueue(Note()))
    assert (standing(world.only_job()), world.held()) == (IN_THE_OUTBOX, [])
    world.pass_time(60)
    assert world.sweep()["published"] == 0
    assert standing(world.only_job()) == IN_THE_OUTBOX  # a sweep fails no job for a publish error
    world.heal()
    assert standing(world.only_job()) == ("completed", 1, 1, True)


@at("point", [FaultPoint.STAMPED])
def test_some_published_and_the_rest_not(
    world: World, point: FaultPoint, environment: pytest.MonkeyPatch
) -> None:
    environment.setattr(relay, "_BATCH", 2)
    world.dies(point, lambda: enqueue_many([Note(), Note(), Note()]))
    assert [standing(job) for job in world.jobs()] == [ACCEPTED, ACCEPTED, IN_THE_OUTBOX]
    assert len(world.held()) == 2
    world.heal()
    assert world.effects() == 3


@at("point", [FaultPoint.RECORDED, FaultPoint.PUBLISHED, FaultPoint.STAMPED])
def test_a_caller_that_knows_nothing_asks_again(world: World, point: FaultPoint) -> None:
    world.dies(point, lambda: enqueue(Note(), idempotency_key="k"))
    assert enqueue(Note(), idempotency_key="k") == world.only_job().job_id
    world.heal()
    assert world.effects() == 1


@at("point", [FaultPoint.COMMITTED, FaultPoint.RESERVED, FaultPoint.PUBLISHED])
def test_a_callers_transaction_is_over(world: World, point: FaultPoint, database_url: str) -> None:
    def write() -> None:
        with psycopg.connect(database_url) as own, dispatcher.transaction(own):
            own.execute("CREATE TABLE users ()")
            enqueue(Note(), connection=own)

    world.dies(point, write)
    assert world.connection.execute("SELECT FROM users").fetchall() == []  # it is there
    assert standing(world.only_job()) == IN_THE_OUTBOX
    assert len(world.held()) == (1 if point is FaultPoint.PUBLISHED else 0)
    world.heal()
    assert world.effects() == 1


@at("point", [FaultPoint.BATCH_RECORDED, FaultPoint.RECORDED, FaultPoint.PUBLISHED])
def test_a_batch_is_accepted_and_not_published(world: World, point: FaultPoint) -> None:
    world.dies(point, lambda: enqueue_batch([Note(), Note()], then=Note(text="all")))
    assert [standing(job) for job in world.jobs()] == [IN_THE_OUTBOX, IN_THE_OUTBOX]
    assert len(world.held()) == (2 if point is FaultPoint.PUBLISHED else 0)
    world.heal()
    assert [job.payload["text"] for job in world.jobs()] == ["hello", "hello", "all"]


@at("point", [FaultPoint.BATCH_RECORDED])
def test_a_batch_is_written_in_a_transaction_that_dies(
    world: World, point: FaultPoint, database_url: str
) -> None:
    def write() -> None:
        with psycopg.connect(database_url) as own, dispatcher.transaction(own):
            enqueue_batch([Note()], then=Note(), connection=own)

    world.dies(point, write)
    assert world.jobs() == []
    assert world.connection.execute("SELECT FROM job_batches").fetchall() == []
    world.heal()


@at("point", [FaultPoint.SCHEDULED])
def test_a_schedule_is_made_and_its_caller_knows_nothing(world: World, point: FaultPoint) -> None:
    world.dies(point, lambda: schedule(Note(), YEARLY))
    made = schedule(Note(), YEARLY)
    job_id = world.fire(made)
    world.heal()
    assert world.only_job().job_id == job_id


LONG = "x" * 600_000  # longer than what travels: it stays in Postgres


@at("point", [FaultPoint.PAYLOAD_KEPT, FaultPoint.SCHEDULED])
def test_a_schedules_payload_is_kept_and_its_caller_knows_nothing(world: World, point: FaultPoint) -> None:
    schedule(Note(text=LONG), YEARLY)
    new = Note(text=LONG + "y")
    world.dies(point, lambda: schedule(new, YEARLY))
    assert world.kept_payloads() == [False, False]
    made = schedule(new, YEARLY)
    assert world.kept_payloads() == [
        True,
        False,
    ]  # the old one is marked as removed, and the new one there once
    seen: list[str] = []
    world.handle = lambda job: seen.append(job.payload.text)
    world.fire(made)
    world.heal()
    assert (seen, world.effects()) == ([new.text], 1)


@at("point", [FaultPoint.UNSCHEDULED])
def test_a_schedule_is_removed_and_its_payload_not_marked(world: World, point: FaultPoint) -> None:
    made = schedule(Note(text=LONG), YEARLY)
    world.dies(point, lambda: unschedule(made))
    assert world.kept_payloads() == [False]
    with pytest.raises(ScheduleNotFound):
        unschedule(made)
    assert world.kept_payloads() == [True]


# --- acting on jobs -----------------------------------------------------------------------------------------


@at("point", [FaultPoint.CANCELLED, FaultPoint.WITHDRAWN])
def test_cancelled(world: World, point: FaultPoint) -> None:
    job_id = enqueue(Note())
    world.dies(point, lambda: cancel(job_id))
    assert world.ends(job_id) == ["cancelled"]
    assert len(world.held()) == (1 if point is FaultPoint.CANCELLED else 0)
    world.heal()
    assert world.ends(job_id) == ["cancelled"]


@at("point", [FaultPoint.CANCELLED, FaultPoint.WITHDRAWN, FaultPoint.MEMBER_ENDED])
def test_the_last_member_of_a_batch_is_cancelled(world: World, point: FaultPoint) -> None:
    batch = enqueue_batch([Note()], then=Note(text="all"))
    world.dies(point, lambda: cancel(batch.job_ids[0]))
    assert [standing(job) for job in world.jobs()] == [("cancelled", 0, 1, True), IN_THE_OUTBOX]
    world.heal()
    assert world.ends(batch.then_job_id) == ["completed"]


@at("point", [FaultPoint.REPLAYED, FaultPoint.PUBLISHED])
@at("replaying", [retry, lambda job_id: replay(job_ids=[job_id])], ids=["retry", "replay"])
def test_run_again_and_not_known_to_be_published(world: World, point: FaultPoint, replaying: Any) -> None:
    job_id = enqueue(Note(), failure_callback=CALLER)
    world.handle = lambda _job: Fail("no")
    world.heal()
    world.told.clear()
    world.handle = lambda _job: None
    world.dies(point, lambda: replaying(job_id))
    assert standing(world.only_job()) == ("pending", 1, 2, False)
    world.heal()
    assert world.ends(job_id) == ["failed", "completed"]
