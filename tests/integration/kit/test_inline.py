"""Inline mode: `enqueue` runs the job, and what goes wrong in it is not lost on the way."""

from __future__ import annotations

import os
from typing import Any

import psycopg
import pytest

from shared import dispatcher
from shared.dispatcher import enqueue, enqueue_batch
from shared.jobs.ping import Ping
from shared.outcomes import Complete, Fail
from shared.testing import Jobs
from shared.worker import Job
from tests.integration.kit.conftest import Connection
from tests.integration.kit.notes import Bell, Note


def test_a_job_has_run_when_enqueue_returns(inline_jobs: Jobs) -> None:
    inline_jobs.use(Note, lambda job: job.payload.text.upper())
    job = inline_jobs.find(enqueue(Note(text="hi"), delay=3600))
    assert (job.status, job.result, job.delay) == ("completed", "HI", 3600)
    assert inline_jobs.find(enqueue(Ping())).status == "completed"  # by its function
    assert inline_jobs.qstash.messages == []


def test_only_in_the_block(jobs: Jobs) -> None:
    jobs.use(Note, lambda _job: None)
    with jobs.inline():
        enqueue(Note())
    assert "JOB_DELIVERY" not in os.environ
    enqueue(Note())
    assert [job.status for job in jobs.enqueued(Note)] == ["completed", "pending"]


def raising(error: Exception) -> Any:
    def handler(job: Job[Any]) -> None:
        raise error

    return handler


def test_what_a_handler_raises_comes_out_of_enqueue(jobs: Jobs, connection: Connection) -> None:
    jobs.use(Note, raising(ConnectionError("down")))
    with jobs.inline():
        with pytest.raises(ConnectionError, match="down"):
            enqueue(Note())
        with pytest.raises(ConnectionError, match="down"), dispatcher.transaction(connection):
            enqueue(Note(), connection=connection)
        jobs.use(Note, lambda _job: Fail("no"))
        enqueue(Note())
    assert [job.status for job in jobs.enqueued(Note)] == ["retrying", "retrying", "failed"]


def test_or_is_recorded_and_attempts_are_used_up(jobs: Jobs) -> None:
    jobs.use(Note, raising(ConnectionError("down")))
    with jobs.inline(catch=True):
        job = jobs.find(enqueue(Note()))
    assert (job.status, job.attempt, len(job.errors)) == ("failed", 4, 4)


@pytest.mark.parametrize("error", [ConnectionError("down"), psycopg.OperationalError("down")])
def test_what_a_next_job_raises_is_not_lost(jobs: Jobs, error: Exception) -> None:
    """What publishes a finished job's next ones takes an error of Postgres for its own, and leaves them to the sweep."""
    jobs.use(Bell, lambda _job: Complete(then=[Note()]))
    jobs.use(Note, raising(error))
    with jobs.inline(), pytest.raises((ConnectionError, AssertionError), match="down"):
        enqueue(Bell())
    assert jobs.assert_enqueued(Bell).status == "completed"


def test_what_a_batchs_completion_raises_is_not_lost(jobs: Jobs) -> None:
    jobs.use(Bell, lambda _job: None)
    jobs.use(Note, raising(ConnectionError("down")))
    with jobs.inline(), pytest.raises(ConnectionError, match="down"):
        enqueue_batch([Bell()], then=Note())
    assert jobs.assert_enqueued(Note).status == "retrying"
