"""One job that runs when all of a batch have ended, exactly once."""

from __future__ import annotations

import importlib
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest

from infra.local.qstash import QStashServer
from shared import database, dispatcher, executions
from shared.database import Connection
from shared.dispatcher import Batch, JobRequest, cancel, enqueue_batch, retry
from shared.errors import InvalidJob
from shared.outcomes import Fail
from shared.rows import Execution, UnpublishedJob
from shared.worker import Job, job_worker
from tests.integration.conftest import Read
from tests.integration.delivering import Context, envelope, event
from tests.integration.jobs import Note

pytestmark = pytest.mark.usefixtures("environment", "qstash")


def deliver(run: Any, job: Execution) -> int:
    unpublished = UnpublishedJob(
        job.job_id, job.job_type, job.payload, None, None, None, job.created_at, job.publication, {}, None
    )
    status: int = job_worker(Note)(run)(event(envelope(unpublished)), Context())["statusCode"]
    return status


def find(connection: Connection, job_id: uuid.UUID) -> Execution | None:
    return executions.find(connection, job_id)


def remaining(connection: Connection, batch: Batch) -> int:
    row = connection.execute("SELECT remaining FROM job_batches WHERE id = %s", [batch.id]).fetchone()
    assert row is not None
    left: int = row["remaining"]
    return left


@pytest.fixture
def batch() -> Batch:
    return enqueue_batch([Note(text="a"), JobRequest(Note(text="b"), retries=0)], then=Note(text="all"))


def test_the_completion_runs_once_all_have_ended_and_sees_how(
    batch: Batch, read: Read, connection: Connection
) -> None:
    first, second = batch.job_ids
    assert deliver(lambda _job: {"made": 1}, read(first)) == 200
    assert (remaining(connection, batch), find(connection, batch.then_job_id)) == (1, None)
    assert deliver(lambda _job: Fail("no"), read(second)) == 489
    completion = read(batch.then_job_id)
    assert completion.published_at is not None  # at once, and not by the next sweep
    seen: list[Any] = []

    def summarize(job: Job[Note]) -> None:
        seen.extend((member.job_id, member.status, member.result, member.error) for member in job.batch())

    assert deliver(summarize, completion) == 200
    assert seen == [(first, "completed", {"made": 1}, None), (second, "failed", None, "no")]


def test_any_other_job_completes_no_batch(batch: Batch, read: Read) -> None:
    seen: list[Any] = []
    deliver(lambda job: seen.append(job.batch()), read(batch.job_ids[0]))
    assert seen == [[]]


def test_the_last_two_that_end_at_the_same_moment_make_one_completion(
    batch: Batch, read: Read, connection: Connection
) -> None:
    together = threading.Barrier(2)

    def run(_job: Job[Note]) -> None:
        together.wait(20)

    jobs = [read(each) for each in batch.job_ids]
    threads = [threading.Thread(target=deliver, args=[run, job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert remaining(connection, batch) == 0
    rows = connection.execute("SELECT FROM job_executions WHERE completes_batch = %s", [batch.id]).fetchall()
    assert len(rows) == 1


def test_an_end_that_is_rolled_back_is_not_counted(
    batch: Batch, connection: Connection, database_url: str
) -> None:
    with psycopg.connect(database_url) as own:
        own.execute(
            "UPDATE job_executions SET status = 'cancelled', completed_at = now() WHERE job_id = %s",
            [batch.job_ids[0]],
        )
        own.rollback()
    assert remaining(connection, batch) == 2


def test_every_way_to_end_is_counted(connection: Connection, read: Read) -> None:
    reconcile = importlib.import_module("functions.reconcile.handler")
    batch = enqueue_batch([JobRequest(Note(text=text), retries=0) for text in "abcde"], then=Note(text="all"))
    completed, failed, cancelled, crashed, used_up = batch.job_ids
    deliver(lambda _job: None, read(completed))
    deliver(lambda _job: Fail("no"), read(failed))
    cancel(cancelled)
    connection.execute(
        "UPDATE job_executions SET status = 'processing', attempt = 1, started_at = now(), "
        "lease_expires_at = now() - interval '1 s' WHERE job_id IN (%s, %s)",
        [crashed, used_up],
    )
    assert deliver(lambda _job: None, read(used_up)) == 489  # at the claim
    assert remaining(connection, batch) == 1
    reconcile.handler({}, Context())
    assert remaining(connection, batch) == 0
    assert read(batch.then_job_id).published_at is not None  # by the same sweep
    assert {read(each).status for each in (crashed, used_up)} == {"failed"}
    database.discard()


def test_a_delivery_that_never_got_through_is_counted_when_it_is_given_up(connection: Connection) -> None:
    batch = enqueue_batch([Note()], then=Note(text="all"))
    connection.execute("UPDATE job_executions SET undelivered = 5")
    executions.settle_failure(connection, batch.job_ids[0], 1, message="gave up", dlq_id=None)
    assert remaining(connection, batch) == 0


def test_a_member_that_is_run_again_is_waited_for_again(
    batch: Batch, read: Read, connection: Connection
) -> None:
    first, second = batch.job_ids
    deliver(lambda _job: Fail("no"), read(first))
    retry(first)
    assert remaining(connection, batch) == 2
    deliver(lambda _job: None, read(second))
    assert find(connection, batch.then_job_id) is None
    deliver(lambda _job: None, read(first))
    assert find(connection, batch.then_job_id) is not None


def test_a_replay_after_the_completion_leaves_the_batch_alone(
    batch: Batch, read: Read, connection: Connection
) -> None:
    first, second = batch.job_ids
    deliver(lambda _job: Fail("no"), read(first))
    deliver(lambda _job: None, read(second))
    retry(first)
    deliver(lambda _job: None, read(first))
    assert remaining(connection, batch) == 0
    rows = connection.execute("SELECT FROM job_executions WHERE completes_batch = %s", [batch.id]).fetchall()
    assert len(rows) == 1


def test_the_completions_options_are_its_own(connection: Connection, read: Read) -> None:
    then = JobRequest(Note(text="all"), user_id=7, organization_id=9, retries=1, delay=60)
    batch = enqueue_batch([Note()], then=then)
    deliver(lambda _job: None, read(batch.job_ids[0]))
    job = read(batch.then_job_id)
    assert (job.user_id, job.organization_id, job.max_attempts) == (7, 9, 2)
    assert job.not_before is not None
    assert 59 < (job.not_before - job.created_at).total_seconds() < 61


def test_a_batch_in_a_rolled_back_transaction_never_existed(
    connection: Connection, database_url: str
) -> None:
    with psycopg.connect(database_url) as own, suppress(ZeroDivisionError), dispatcher.transaction(own):
        enqueue_batch([Note()], then=Note(), connection=own)
        raise ZeroDivisionError
    assert connection.execute("SELECT FROM job_batches").fetchall() == []
    assert connection.execute("SELECT FROM job_executions").fetchall() == []


def test_a_batch_in_a_committed_transaction_is_published(connection: Connection, database_url: str) -> None:
    with psycopg.connect(database_url) as own, dispatcher.transaction(own):
        enqueue_batch([Note(), Note()], then=Note(), connection=own)
    rows = connection.execute("SELECT published_at FROM job_executions").fetchall()
    assert [row["published_at"] is not None for row in rows] == [True, True]


@pytest.mark.parametrize(
    ("jobs", "problem"),
    [
        ([], "jobs: must hold at least one job"),
        (
            [Note(), JobRequest(Note(), idempotency_key="k")],
            r"jobs\[1\]\.idempotency_key: a batch's members take none",
        ),
        ([Note(), JobRequest(Note(), retries=-1)], r"jobs\[1\]\.retries"),
    ],
)
def test_a_bad_batch_is_refused_whole(connection: Connection, jobs: list[Any], problem: str) -> None:
    with pytest.raises(InvalidJob, match=problem):
        enqueue_batch(jobs, then=Note())
    assert connection.execute("SELECT FROM job_batches").fetchall() == []
    assert connection.execute("SELECT FROM job_executions").fetchall() == []


def test_a_batch_whose_acknowledgement_was_lost_is_accepted_once(
    connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    insert, times = executions.insert, []

    def lossy(accepting: Any, *arguments: Any) -> Any:
        accepted = insert(accepting, *arguments)
        times.append(1)
        return accepted

    environment.setattr(executions, "insert", lossy)
    commit = psycopg.Connection.transaction
    lost: list[int] = []

    def committing(self: Any, *arguments: Any, **options: Any) -> Any:
        @contextmanager
        def block() -> Iterator[Any]:
            with commit(self, *arguments, **options) as transaction:
                yield transaction
            if not lost:
                lost.append(1)
                self.close()
                raise psycopg.OperationalError("server closed the connection unexpectedly")

        return block()

    database.connection()  # kept, so that what failed is tried again
    environment.setattr(psycopg.Connection, "transaction", committing)
    batch = enqueue_batch([Note(), Note()], then=Note())
    assert len(times) == 2
    assert remaining(connection, batch) == 2
    assert len(connection.execute("SELECT FROM job_executions").fetchall()) == 2


def test_many_batches_at_once_each_complete_once(
    connection: Connection, qstash: QStashServer, read: Read
) -> None:
    batches = [enqueue_batch([Note(), Note(), Note()], then=Note(text="all")) for _each in range(6)]
    jobs = [read(job_id) for batch in batches for job_id in batch.job_ids]
    threads = [
        threading.Thread(target=lambda some=some: [deliver(lambda _job: None, job) for job in some])
        for some in (jobs[0::3], jobs[1::3], jobs[2::3])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [remaining(connection, batch) for batch in batches] == [0] * 6
    rows = connection.execute(
        "SELECT completes_batch FROM job_executions WHERE completes_batch IS NOT NULL"
    ).fetchall()
    assert len(rows) == len({row["completes_batch"] for row in rows}) == 6


def test_a_completion_takes_no_idempotency_key(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidJob, match=r"then\.idempotency_key"):
        enqueue_batch([Note()], then=JobRequest(Note(), idempotency_key="k"))
