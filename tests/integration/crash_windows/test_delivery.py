"""Whoever runs a job dies: before its handler, after it, and with the answer on the tongue."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from shared.dispatcher import JobRequest, enqueue, enqueue_batch
from shared.fault_points import FaultPoint
from shared.outcomes import Cancel, Complete, Fail
from shared.schedules import schedule
from shared.worker import Job
from tests.integration.crash_windows.world import CALLER, HEALED_WITHIN, World, standing
from tests.integration.jobs import Note

YEARLY = "0 0 1 1 *"
OVERDUE = 15 * 60 + 180.0  # seconds: the sweep's patience with QStash, a sweep, the first wait, another sweep

at = pytest.mark.parametrize
ACCEPTED, IN_THE_OUTBOX = ("pending", 0, 1, True), ("pending", 0, 1, False)


@at("point", [FaultPoint.RUN_INSERTED])
@at("overlap", ["allow", "skip"])
@at("is_lost", [False, True], ids=["redelivered", "swept"])
def test_a_schedules_run_has_its_row_and_is_not_claimed(
    world: World, point: FaultPoint, overlap: Any, is_lost: bool
) -> None:
    job_id = world.fire(schedule(Note(), YEARLY, overlap=overlap))
    (message,) = world.held()
    world.dies(point, world.deliver_due)
    assert standing(world.only_job()) == ("pending", 0, 0, True)
    if is_lost:
        world.lose(message)
    world.heal(OVERDUE if is_lost else HEALED_WITHIN)
    assert (world.only_job().job_id, world.only_job().attempt) == (job_id, 1)


@at("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING])
@at("is_lost", [False, True], ids=["redelivered", "swept"])
def test_an_attempt_is_lost(world: World, point: FaultPoint, is_lost: bool) -> None:
    world.handle = lambda _job: Complete(then=[Note(text="next")])
    enqueue(Note())
    (message,) = world.held()
    world.dies(point, world.deliver_due)
    world.handle = lambda job: Complete(then=[Note(text="next")] if job.payload.text == "hello" else [])
    assert standing(world.only_job()) == ("processing", 1, 1, True)
    assert world.effects() == 0
    if is_lost:
        world.lose(message)
    world.heal()
    first, following = world.jobs()
    assert (first.status, first.attempt) == ("completed", 2)
    assert [error["type"] for error in first.errors] == ["AttemptLost"]
    assert (following.status, following.attempt) == ("completed", 1)


@at("point", [FaultPoint.CLAIMED, FaultPoint.FAILURES_TAKEN, FaultPoint.FAILURE_TOLD, FaultPoint.FOLLOWED_UP])
def test_a_claim_finds_no_attempt_left(world: World, point: FaultPoint) -> None:
    job_id = enqueue(Note(), retries=0, failure_callback=CALLER)
    world.dies(FaultPoint.CLAIMED, world.deliver_due)
    world.pass_time(75)  # the lease
    world.dies(point, world.deliver_due)
    assert world.ends(job_id) == ["failed"]
    assert world.told == []
    world.heal()
    assert (world.effects(), world.told) == (0, [(job_id, 1)])


@at("point", [FaultPoint.COMPLETED, FaultPoint.RESERVED, FaultPoint.PUBLISHED, FaultPoint.STAMPED])
def test_completed_and_the_next_job_not_published(world: World, point: FaultPoint) -> None:
    enqueue(Note())
    world.handle = lambda _job: Complete(then=[Note(text="next")])
    world.dies(point, world.deliver_due)
    world.handle = lambda _job: None
    first, following = world.jobs()
    assert (first.status, world.effects()) == ("completed", 1)
    assert standing(following) == (ACCEPTED if point is FaultPoint.STAMPED else IN_THE_OUTBOX)
    world.heal()
    assert (world.effects(), len(world.jobs())) == (2, 2)


@at("point", [FaultPoint.COMPLETED, FaultPoint.MEMBER_ENDED, FaultPoint.RESERVED, FaultPoint.FOLLOWED_UP])
def test_the_last_member_of_a_batch_is_completed(world: World, point: FaultPoint) -> None:
    batch = enqueue_batch([Note()], then=Note(text="all"))
    world.dies(point, world.deliver_due)
    assert world.ends(batch.job_ids[0]) == ["completed"]
    completion = world.jobs()[1]
    assert standing(completion) == (ACCEPTED if point is FaultPoint.FOLLOWED_UP else IN_THE_OUTBOX)
    world.heal()
    assert world.ends(batch.then_job_id) == ["completed"]


@at("point", [FaultPoint.ATTEMPT_ENDED, FaultPoint.FOLLOWED_UP])
@at("is_lost", [False, True], ids=["redelivered", "swept"])
def test_an_attempt_has_failed_and_qstash_has_no_answer(
    world: World, point: FaultPoint, is_lost: bool
) -> None:
    enqueue(Note())
    (message,) = world.held()
    world.handle = lambda _job: 1 / 0
    world.dies(point, world.deliver_due)
    world.handle = lambda _job: None
    assert standing(world.only_job()) == ("retrying", 1, 1, True)
    assert world.effects() == 0
    if is_lost:
        world.lose(message)
    world.heal(OVERDUE if is_lost else HEALED_WITHIN)
    assert standing(world.only_job()) == ("completed", 2, 2 if is_lost else 1, True)


@at(
    "point",
    [
        FaultPoint.ATTEMPT_ENDED,
        FaultPoint.FAILURES_TAKEN,
        FaultPoint.FAILURE_TOLD,
        FaultPoint.MEMBER_ENDED,
        FaultPoint.FOLLOWED_UP,
    ],
)
def test_a_job_has_failed_and_not_all_know_it(world: World, point: FaultPoint) -> None:
    member = JobRequest(Note(), failure_callback=CALLER)
    batch = enqueue_batch([member], then=Note(text="all"))
    world.handle = lambda _job: Fail("no")
    world.dies(point, world.deliver_due)
    world.handle = lambda _job: None
    assert world.ends(batch.job_ids[0]) == ["failed"]
    assert world.told == []
    world.heal()
    assert world.told == [(batch.job_ids[0], 1)]
    assert world.ends(batch.then_job_id) == ["completed"]


@at("point", [FaultPoint.ATTEMPT_ENDED, FaultPoint.FOLLOWED_UP])
def test_the_handler_has_cancelled_its_job(world: World, point: FaultPoint) -> None:
    job_id = enqueue(Note())
    world.handle = lambda _job: Cancel("pointless")
    world.dies(point, world.deliver_due)
    assert world.ends(job_id) == ["cancelled"]
    world.heal()
    assert (world.ends(job_id), world.effects()) == (["cancelled"], 0)


@at("point", [FaultPoint.CONNECTIONS_CUT, FaultPoint.ATTEMPT_ENDED])
def test_an_attempt_has_timed_out(world: World, point: FaultPoint) -> None:
    enqueue(Note())
    world.seconds = 3.3  # of which 3 are kept for recording
    world.handle = lambda _job: threading.Event().wait(30)
    world.dies(point, world.deliver_due)
    world.seconds, world.handle = 60.0, lambda _job: None
    left = "processing" if point is FaultPoint.CONNECTIONS_CUT else "retrying"
    assert standing(world.only_job()) == (left, 1, 1, True)
    assert world.effects() == 0
    world.heal()
    assert standing(world.only_job()) == ("completed", 2, 1, True)


@at("point", [FaultPoint.STALE])
def test_a_stale_attempt_is_not_answered(world: World, point: FaultPoint) -> None:
    job_id = enqueue(Note())
    (message,) = world.held()

    def overtaken(_job: Job[Note]) -> None:
        world.overtake(message)

    world.handle = overtaken
    world.dies(point, world.deliver_due)
    assert (standing(world.only_job()), world.effects()) == (("completed", 2, 1, True), 1)
    world.heal()
    assert world.ends(job_id) == ["completed"]
