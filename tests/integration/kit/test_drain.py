"""Everything that is due is run, in its order, with what it sets off; and time goes on only as far as it is let."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from shared import dispatcher, fault_points
from shared.dispatcher import JobRequest, enqueue, enqueue_batch
from shared.fault_points import Crash, FaultPoint
from shared.outcomes import Cancel, Complete, Fail, Retry
from shared.testing import Jobs
from shared.worker import Job
from tests.integration.kit.conftest import Connection
from tests.integration.kit.notes import Bell, Note

DAY = timedelta(days=1)


@pytest.fixture
def ran(jobs: Jobs) -> list[str]:
    """The notes that were run, in their order."""
    made: list[str] = []

    def handler(job: Job[Note]) -> None:
        made.append(job.payload.text)

    jobs.use(Note, handler)
    return made


def test_what_is_due_runs_in_the_order_in_which_it_is_due(jobs: Jobs, ran: list[str]) -> None:
    for text, delay in (("d", 90), ("a", None), ("c", 60), ("b", None)):
        enqueue(Note(text=text), delay=delay)

    drained = jobs.drain()
    assert (ran, drained.completed, drained.waiting) == (["a", "b"], 2, 2)
    assert str(drained) == "2 attempts: completed 2, retrying 0, failed 0, cancelled 0; 2 waiting"
    assert jobs.drain(ahead=30).attempts == []
    assert [each.status for each in jobs.drain(ahead=60.5).attempts] == ["completed"]
    assert (ran, jobs.drain(ahead=DAY).waiting) == (["a", "b", "c", "d"], 0)
    assert jobs.drain(ahead=math.inf).attempts == []


def test_time_that_was_moved_makes_jobs_due(jobs: Jobs, ran: list[str]) -> None:
    enqueue(Note(), delay=DAY)
    jobs.advance(DAY - timedelta(seconds=60))
    assert jobs.drain().completed == 0
    jobs.advance(60)
    assert jobs.drain().completed == 1
    for seconds in (-1, math.nan, timedelta(days=4000)):
        with pytest.raises(ValueError, match="time moves by 0 to 315360000 seconds"):
            jobs.advance(seconds)


def test_jobs_of_a_transaction_are_run_once_it_is_committed(
    jobs: Jobs, ran: list[str], connection: Connection
) -> None:
    with connection.transaction():
        enqueue(Note(text="left to the sweep"), connection=connection)
        assert jobs.drain().completed == 0
    with dispatcher.transaction(connection):
        enqueue(Note(text="published"), connection=connection)
    assert jobs.drain().completed == 2
    assert ran == ["left to the sweep", "published"]


def test_only_the_types_that_are_named_run(jobs: Jobs, ran: list[str]) -> None:
    jobs.use(Bell, lambda _job: Cancel("quiet"))
    enqueue(Note())
    enqueue(Bell())
    assert (jobs.drain(Bell).cancelled, ran) == (1, [])
    assert jobs.drain(Bell, Note).completed == 1


def test_what_a_job_sets_off_runs_too(jobs: Jobs, ran: list[str]) -> None:
    jobs.use(Bell, lambda job: Complete(then=[Note(text=f"rung {job.payload.rings}")]))
    enqueue_batch([Bell(rings=1), JobRequest(Bell(rings=2), delay=60)], then=Note(text="all"))
    assert (jobs.drain().completed, ran) == (2, ["rung 1"])
    assert (jobs.drain(ahead=60).waiting, ran) == (0, ["rung 1", "rung 2", "all"])


def test_a_completion_sees_its_members(jobs: Jobs) -> None:
    seen: list[Any] = []
    jobs.use(Bell, lambda job: {"rang": job.payload.rings} if job.payload.rings else Fail("broken"))
    jobs.use(Note, lambda job: seen.extend((each.status, each.result) for each in job.batch()))
    enqueue_batch([Bell(rings=0), Bell(rings=1)], then=Note())
    drained = jobs.drain()
    assert (drained.completed, drained.failed) == (2, 1)
    assert seen == [("failed", None), ("completed", {"rang": 1})]


def test_retries_come_as_production_has_them(jobs: Jobs) -> None:
    tries: list[int] = []

    def unlucky(job: Job[Note]) -> Any:
        tries.append(job.attempt)
        if job.attempt == 2:
            raise ConnectionError("down")
        return Retry(after=3600) if job.attempt == 1 else {"tries": job.attempt}

    jobs.use(Note, unlucky)
    job_id = enqueue(Note())
    assert (jobs.drain(catch=True).retrying, jobs.drain(catch=True, ahead=3000).attempts) == (1, [])
    assert jobs.drain(catch=True, ahead=3700).retrying == 1  # the next would be 148 s later
    drained = jobs.drain(ahead=math.inf)
    assert ([each.status for each in drained.attempts], tries) == (["completed"], [1, 2, 3])
    assert jobs.find(job_id).result == {"tries": 3}


def test_attempts_are_used_up(jobs: Jobs) -> None:
    jobs.use(Note, lambda _job: Retry(after=60))
    enqueue(Note(), retries=2, failure_callback="https://app.example.com/failed")
    drained = jobs.drain(ahead=math.inf)
    assert (drained.retrying, drained.failed, drained.waiting) == (2, 1, 0)
    assert jobs.qstash.messages[-1].url == "https://app.example.com/failed"
    assert jobs.qstash.messages[-1].body["status"] == "failed"


def test_what_a_handler_raises_stops_it(jobs: Jobs) -> None:
    def broken(job: Job[Note]) -> None:
        raise ConnectionError(job.payload.text)

    jobs.use(Note, broken)
    enqueue(Note(text="first"))
    enqueue(Note(text="second"))
    with pytest.raises(ConnectionError, match="first"):
        jobs.drain()
    assert [job.status for job in jobs.enqueued(Note)] == ["retrying", "pending"]
    drained = jobs.drain(ahead=math.inf, catch=True)
    assert (drained.retrying, drained.failed) == (5, 2)


def test_a_payload_that_its_worker_cannot_read_is_a_surprise(jobs: Jobs) -> None:
    class Older(Note, type=Note.job_type):
        text: int  # type: ignore[assignment]

    jobs.use(Note, lambda _job: None)
    enqueue(Older(text=1))
    with pytest.raises(AssertionError, match="is failed after attempt 1 of 4: invalid payload: text"):
        jobs.drain()


def test_jobs_that_enqueue_themselves_come_to_an_end(jobs: Jobs) -> None:
    jobs.use(Note, lambda job: Complete(then=[JobRequest(job.payload, delay=DAY)]))
    enqueue(Note())
    with pytest.raises(
        AssertionError, match="20 attempts were made, and 1 jobs wait still, the next a crm-match"
    ):
        jobs.drain(ahead=math.inf, limit=20)
    assert jobs.drain(ahead=timedelta(days=6.5)).completed == 6


def test_a_lost_attempt_is_made_again_once_its_lease_has_run_out(jobs: Jobs, ran: list[str]) -> None:
    job_id = enqueue(Note())
    with fault_points.armed(FaultPoint.HANDLED), pytest.raises(Crash):
        jobs.drain()
    assert (jobs.find(job_id).status, jobs.drain().attempts) == ("processing", [])
    jobs.advance(70)  # its timeout and ten seconds
    assert (jobs.drain().completed, ran) == (1, ["hello", "hello"])
    assert jobs.find(job_id).errors[0]["type"] == "AttemptLost"


def test_a_replay_is_due_at_once(jobs: Jobs) -> None:
    jobs.use(Note, lambda job: Fail("no") if job.run == 1 else None)
    job_id = enqueue(Note())
    assert jobs.drain().failed == 1
    dispatcher.retry(job_id)
    assert jobs.drain().completed == 1
