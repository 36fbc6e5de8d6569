"""Whoever heals jobs dies in turn: record_failure, the sweep."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.dispatcher import JobRequest, enqueue, enqueue_batch, enqueue_many
from shared.fault_points import FaultPoint
from shared.outcomes import Complete
from shared.schedules import schedule
from tests.integration.crash_windows.world import CALLER, World, standing
from tests.integration.jobs import Note

YEARLY = "0 0 1 1 *"
QUARTER = 15 * 60  # seconds: how long the sweep leaves a delivery that is overdue to QStash

at = pytest.mark.parametrize
GIVEN_BACK = ("pending", 0, 2, False)


def crash_and_lose(world: World, **options: Any) -> None:
    """Leave a job as an attempt that died leaves it, the lease over and no delivery to come."""
    batch = enqueue_batch([JobRequest(Note(), **options)], then=Note(text="all"))
    (message,) = world.held()
    world.dies(FaultPoint.CLAIMED, world.deliver_due)
    world.lose(message)
    world.pass_time(75)
    assert standing(world.jobs()[0]) == ("processing", 1, 1, True)
    assert world.jobs()[0].job_id == batch.job_ids[0]


def wear_out(world: World) -> None:
    """Let the jobs have been given back so often that they will not be once more."""
    world.connection.execute("UPDATE job_executions SET undelivered = 5")


# --- record_failure -----------------------------------------------------------------------------------------


@at("point", [FaultPoint.CALLBACK_VERIFIED, FaultPoint.SETTLED])
def test_a_message_is_given_up(world: World, point: FaultPoint) -> None:
    enqueue(Note())
    world.give_up(world.held()[0])
    world.dies(point, world.deliver_due)
    assert standing(world.only_job()) == (
        GIVEN_BACK if point is FaultPoint.SETTLED else ("pending", 0, 1, True)
    )
    world.heal()
    assert standing(world.only_job()) == ("completed", 1, 2, True)


@at(
    "point",
    [
        FaultPoint.CALLBACK_VERIFIED,
        FaultPoint.SETTLED,
        FaultPoint.FAILURES_TAKEN,
        FaultPoint.FAILURE_TOLD,
    ],
)
def test_a_message_is_given_up_for_good(world: World, point: FaultPoint) -> None:
    batch = enqueue_batch([JobRequest(Note(), failure_callback=CALLER)], then=Note(text="all"))
    wear_out(world)
    world.give_up(world.held()[0])
    world.dies(point, world.deliver_due)
    assert world.ends(batch.job_ids[0]) == ([] if point is FaultPoint.CALLBACK_VERIFIED else ["failed"])
    assert world.told == []
    world.heal()
    assert world.told == [(batch.job_ids[0], 1)]
    assert world.ends(batch.then_job_id) == ["completed"]


@at("point", [FaultPoint.CALLBACK_VERIFIED, FaultPoint.LOST_RUN_INSERTED, FaultPoint.SETTLED])
@at("overlap", ["allow", "skip"])
def test_a_schedules_run_reached_nobody(world: World, point: FaultPoint, overlap: Any) -> None:
    job_id = world.fire(schedule(Note(), YEARLY, overlap=overlap))
    world.give_up(world.held()[0])
    world.dies(point, world.deliver_due)
    left = {
        FaultPoint.CALLBACK_VERIFIED: [],
        FaultPoint.LOST_RUN_INSERTED: [("pending", 0, 0, True)],
        FaultPoint.SETTLED: [("pending", 0, 1, False)],
    }
    assert [standing(job) for job in world.jobs()] == left[point]
    world.heal()
    assert (world.only_job().job_id, standing(world.only_job())) == (job_id, ("completed", 1, 1, True))


# --- the sweep ----------------------------------------------------------------------------------------------


@at("point", [FaultPoint.GIVEN_BACK, FaultPoint.OUTBOX_TAKEN, FaultPoint.OUTBOX_PUBLISHED])
def test_an_expired_lease_is_given_back(world: World, point: FaultPoint) -> None:
    crash_and_lose(world)
    world.dies(point, world.sweep)
    assert standing(world.jobs()[0]) == ("retrying", 1, 2, False)
    assert len(world.held()) == (1 if point is FaultPoint.OUTBOX_PUBLISHED else 0)
    world.heal()
    assert standing(world.jobs()[0]) == ("completed", 2, 2, True)


@at(
    "point",
    [FaultPoint.GIVEN_BACK, FaultPoint.OUTBOX_TAKEN, FaultPoint.FAILURES_TAKEN, FaultPoint.FAILURE_TOLD],
)
def test_an_expired_lease_ends_the_job(world: World, point: FaultPoint) -> None:
    crash_and_lose(world, retries=0, failure_callback=CALLER)
    world.dies(point, world.sweep)
    failed, completion = world.jobs()
    assert (failed.status, world.told) == ("failed", [])
    is_published = point in {FaultPoint.FAILURES_TAKEN, FaultPoint.FAILURE_TOLD}
    assert standing(completion) == ("pending", 0, 1, is_published)
    world.heal()
    assert (world.told, world.effects()) == ([(failed.job_id, 1)], 1)


@at("point", [FaultPoint.OUTBOX_TAKEN, FaultPoint.OUTBOX_PUBLISHED])
def test_the_outbox_is_taken(world: World, point: FaultPoint) -> None:
    world.dies(FaultPoint.RECORDED, lambda: enqueue_many([Note(), Note()]))
    world.pass_time(20)
    world.dies(point, world.sweep)
    assert [standing(job) for job in world.jobs()] == [("pending", 0, 1, False)] * 2
    assert len(world.held()) == (2 if point is FaultPoint.OUTBOX_PUBLISHED else 0)
    world.heal()
    assert world.effects() == 2


@at("point", [FaultPoint.MOVED, FaultPoint.OUTBOX_TAKEN])
def test_a_function_has_moved(world: World, point: FaultPoint, environment: pytest.MonkeyPatch) -> None:
    enqueue(Note())
    world.url = "https://new.lambda-url.eu-central-1.on.aws/"
    environment.setenv("JOB_ENDPOINTS", json.dumps(dict.fromkeys(["crm-match", "record-failure"], world.url)))
    world.dies(point, world.sweep)
    assert standing(world.only_job()) == GIVEN_BACK
    for message in world.held():
        world.lose(message)  # its URL is nobody's now
    world.heal()
    assert standing(world.only_job()) == ("completed", 1, 2, True)


@at("point", [FaultPoint.SETTLED, FaultPoint.DEAD_LETTERS_SETTLED])
def test_dead_letters_are_read(world: World, point: FaultPoint) -> None:
    world.qstash.faults.drop_callbacks()
    for _each in range(2):
        enqueue(Note())
        world.give_up(world.held()[0])
    world.dies(point, world.sweep)
    still_published = ("pending", 0, 1, True)
    second = still_published if point is FaultPoint.SETTLED else GIVEN_BACK
    assert [standing(job) for job in world.jobs()] == [GIVEN_BACK, second]
    assert world.connection.execute("SELECT mark FROM reconcile_marks").fetchall() == []
    world.heal(within=180)  # a minute more: this is found by a sweep, and waits for another
    assert [standing(job) for job in world.jobs()] == [("completed", 1, 2, True)] * 2
    assert len(world.connection.execute("SELECT mark FROM reconcile_marks").fetchall()) == 1


@at("point", [FaultPoint.OVERDUE_TAKEN, FaultPoint.GONE_SETTLED])
def test_messages_are_gone(world: World, point: FaultPoint) -> None:
    enqueue_many([Note(), Note()])
    for message in world.held():
        world.lose(message)
    world.pass_time(QUARTER)
    world.dies(point, world.sweep)
    given_back = 0 if point is FaultPoint.OVERDUE_TAKEN else 1
    assert [standing(job) for job in world.jobs()].count(GIVEN_BACK) == given_back
    world.heal(within=QUARTER + 120)  # what was kept from other sweeps is found a quarter of an hour later
    assert [standing(job) for job in world.jobs()] == [("completed", 1, 2, True)] * 2


@at("point", [FaultPoint.GONE_SETTLED, FaultPoint.FAILURES_TAKEN, FaultPoint.FAILURE_TOLD])
def test_a_message_is_gone_once_too_often(world: World, point: FaultPoint) -> None:
    job_id = enqueue(Note(), failure_callback=CALLER)
    wear_out(world)
    world.lose(world.held()[0])
    world.pass_time(QUARTER)
    world.dies(point, world.sweep)
    assert (world.ends(job_id), world.told) == (["failed"], [])
    world.heal()
    assert world.told == [(job_id, 1)]


# --- dying again and again ----------------------------------------------------------------------------------


def test_who_dies_at_each_place_in_turn(world: World) -> None:
    """One job through all the places of a plain life: enqueue, delivery, sweep, each dying once more."""
    world.handle = lambda job: Complete(then=[Note(text="next")] if job.payload.text == "hello" else [])
    world.dies(FaultPoint.RECORDED, lambda: enqueue(Note(), retries=5))
    world.pass_time(20)
    world.dies(FaultPoint.OUTBOX_TAKEN, world.sweep)
    world.pass_time(60)
    world.dies(FaultPoint.OUTBOX_PUBLISHED, world.sweep)
    for point in (FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING):
        world.dies(point, world.deliver_due)
        world.pass_time(75)
        world.dies(FaultPoint.GIVEN_BACK, world.sweep)
        world.sweep()
    world.dies(FaultPoint.COMPLETED, world.deliver_due)
    world.heal()
    assert [standing(job)[:2] for job in world.jobs()] == [("completed", 4), ("completed", 1)]
