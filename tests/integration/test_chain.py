"""A job knows which job enqueued it: as one of its next jobs, from its handler, or through a batch."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID

import pytest

from shared import lineage
from shared.database import Connection
from shared.dispatcher import enqueue, enqueue_batch, enqueue_many, retry
from shared.errors import JobTimeout
from shared.outcomes import Complete
from shared.rows import UnpublishedJob
from shared.worker import Job, job_worker
from tests.integration.conftest import Accept, Read
from tests.integration.delivering import Context, envelope, event
from tests.integration.jobs import Note

pytestmark = pytest.mark.usefixtures("environment", "qstash")


def deliver(run: Any, job: UnpublishedJob, seconds: float = 60.0) -> int:
    status: int = job_worker(Note)(run)(event(envelope(job)), Context(seconds))["statusCode"]
    return status


def parents(connection: Connection) -> dict[str, UUID | None]:
    """By what each job's note says."""
    rows = connection.execute(
        "SELECT payload ->> 'text' AS text, parent_job_id FROM job_executions"
    ).fetchall()
    return {row["text"]: row["parent_job_id"] for row in rows}


def test_the_next_jobs_have_the_job_as_their_parent(
    accept: Accept, connection: Connection, read: Read
) -> None:
    job = accept(Note(text="first"))
    assert deliver(lambda _job: Complete(then=[Note(text="next"), Note(text="other")]), job) == 200
    assert parents(connection) == {"first": None, "next": job.job_id, "other": job.job_id}


def test_so_has_what_a_handler_enqueues_and_nothing_that_comes_after(
    accept: Accept, connection: Connection
) -> None:
    def run(job: Job[Note]) -> None:
        enqueue(Note(text="alone"))
        enqueue_many([Note(text="many")])
        with job.transaction() as open_transaction:
            enqueue(Note(text="within"), connection=open_transaction)

    job = accept(Note(text="first"))
    assert deliver(run, job) == 200
    enqueue(Note(text="after"))
    assert parents(connection) == {
        "first": None, "alone": job.job_id, "many": job.job_id, "within": job.job_id, "after": None,
    }  # fmt: skip


def test_a_batchs_completion_has_the_parent_that_its_members_have(
    accept: Accept, connection: Connection
) -> None:
    def run(_job: Job[Note]) -> None:
        enqueue_batch([Note(text="a"), Note(text="b")], then=Note(text="all"))

    job = accept(Note(text="first"))
    assert deliver(run, job) == 200
    connection.execute(
        "UPDATE job_executions SET status = 'cancelled', completed_at = now() WHERE batch_id IS NOT NULL"
    )
    assert parents(connection) == {"first": None, "a": job.job_id, "b": job.job_id, "all": job.job_id}


def test_a_batch_of_an_application_or_of_old_code_has_none(connection: Connection) -> None:
    enqueue_batch([Note(text="a")], then=Note(text="all"))
    connection.execute("UPDATE job_batches SET then_job = then_job - 'parent_job_id'")  # as old code wrote it
    connection.execute("UPDATE job_executions SET status = 'cancelled', completed_at = now()")
    assert parents(connection) == {"a": None, "all": None}


@pytest.mark.parametrize("ending", ["raises", "times out"])
def test_an_attempt_that_goes_wrong_leaves_no_parent_behind(
    accept: Accept, connection: Connection, ending: str
) -> None:
    def run(_job: Job[Note]) -> None:
        if ending == "raises":
            raise RuntimeError
        raise JobTimeout

    assert deliver(run, accept(Note(text="first"))) == 500
    assert lineage.parent() is None
    enqueue(Note(text="after"))
    assert parents(connection)["after"] is None


def test_a_replayed_job_keeps_its_parent(accept: Accept, connection: Connection, read: Read) -> None:
    job = accept(Note(text="first"))
    deliver(lambda _job: Complete(then=[Note(text="next")]), job)
    row = (
        connection.execute("SELECT job_id FROM job_executions WHERE parent_job_id IS NOT NULL").fetchone()
        or {}
    )
    connection.execute(
        "UPDATE job_executions SET status = 'cancelled', completed_at = now() WHERE job_id = %s",
        [row["job_id"]],
    )
    retry(row["job_id"])
    assert read(row["job_id"]).parent_job_id == job.job_id


def test_a_key_that_is_taken_leaves_the_job_with_its_first_parent(
    accept: Accept, connection: Connection
) -> None:
    def run(_job: Job[Note]) -> None:
        enqueue(Note(text="same"), idempotency_key="k")

    jobs = [accept(Note(text="one")), accept(Note(text="two"))]
    assert [deliver(run, job) for job in jobs] == [200, 200]
    assert parents(connection)["same"] == jobs[0].job_id


def test_a_handlers_own_thread_enqueues_for_nobody(accept: Accept, connection: Connection) -> None:
    def run(_job: Job[Note]) -> None:
        other = threading.Thread(target=enqueue, args=[Note(text="aside")])
        other.start()
        other.join()

    assert deliver(run, accept(Note(text="first"))) == 200
    assert parents(connection)["aside"] is None
