"""Many jobs at once, cancelling, running again, and the next jobs of a completed one."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from qstash import QStash

from infra.local.qstash import QStashServer
from shared import dispatcher, registry, relay
from shared.database import Connection
from shared.dispatcher import JobRequest, cancel, enqueue, enqueue_many, replay, retry
from shared.errors import (
    IdempotencyConflict,
    InvalidJob,
    JobHasEnded,
    JobNotEnded,
    JobNotFound,
    NothingToReplay,
    PublishRejected,
    UnknownJobType,
)
from shared.jobs.send_email import SendEmail, WelcomeData
from shared.outcomes import Complete, Fail
from shared.registry import FlowControl, JobType
from shared.worker import Job, job_worker
from tests.integration.conftest import Accept, Read
from tests.integration.delivering import Context, envelope, event
from tests.integration.jobs import Note

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def client(qstash: QStashServer) -> Iterator[QStash]:
    made = QStash(qstash.token, base_url=qstash.url, retry=False)
    yield made
    made.http._client.close()


def deliver(run: Any, job: Any) -> int:
    status: int = job_worker(Note)(run)(event(envelope(job)), Context())["statusCode"]
    return status


def count(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) AS jobs FROM job_executions").fetchone()
    assert row is not None
    jobs: int = row["jobs"]
    return jobs


# --- many at once ------------------------------------------------------------------------------------------


def test_a_thousand_jobs_are_written_and_published_in_their_order(
    client: QStash, read: Read, connection: Connection
) -> None:
    texts = [str(number) for number in range(1_000)]
    enqueued = enqueue_many(Note(text=text) for text in texts)
    assert [each.error for each in enqueued] == [None] * 1_000
    assert [read(each.job_id).payload["text"] for each in enqueued[::97]] == texts[::97]
    unpublished = connection.execute("SELECT FROM job_executions WHERE published_at IS NULL").fetchall()
    assert unpublished == []
    messages = [read(each.job_id).qstash_message_id for each in enqueued]
    assert len(set(messages)) == 1_000
    assert str(enqueued[7].job_id) in (client.message.get(messages[7] or "").body or "")


def test_each_of_many_has_its_own_options(client: QStash, read: Read) -> None:
    plain, late = enqueue_many([Note(), JobRequest(Note(), user_id=7, delay=3600, retries=0)])
    assert (read(plain.job_id).max_attempts, read(plain.job_id).not_before) == (4, None)
    job = read(late.job_id)
    assert (job.user_id, job.max_attempts) == (7, 1)
    assert job.not_before is not None
    assert client.message.get(job.qstash_message_id or "").not_before / 1000 >= job.not_before.timestamp()


def test_one_that_is_wrong_is_named_by_its_position_and_nothing_is_written(
    client: QStash, connection: Connection
) -> None:
    with pytest.raises(InvalidJob, match=r"jobs\[1\]\.delay") as caught:
        enqueue_many([Note(), JobRequest(Note(), delay=-1)])
    assert caught.value.field == "jobs[1].delay"
    assert count(connection) == 0


def test_none_at_all_is_nothing(environment: pytest.MonkeyPatch) -> None:
    assert enqueue_many([]) == []


def test_a_conflict_is_told_of_the_one_and_the_others_are_accepted(
    client: QStash, connection: Connection
) -> None:
    first = enqueue(Note(text="a"), idempotency_key="k")
    same, other, free = enqueue_many(
        [
            JobRequest(Note(text="a"), idempotency_key="k"),
            JobRequest(Note(text="b"), idempotency_key="k"),
            Note(text="c"),
        ]
    )
    assert (same.job_id, same.error) == (first, None)
    assert (other.job_id, type(other.error)) == (first, IdempotencyConflict)
    assert free.error is None
    assert count(connection) == 2


def test_a_key_twice_in_one_call_is_one_job(client: QStash, connection: Connection) -> None:
    first, second = enqueue_many([JobRequest(Note(), idempotency_key="k")] * 2)
    assert (first.job_id, count(connection)) == (second.job_id, 1)


def test_one_that_qstash_refuses_fails_alone(
    client: QStash, environment: pytest.MonkeyPatch, read: Read
) -> None:
    environment.setenv(
        "JOB_ENDPOINTS",
        '{"crm-match": "https://a.example.com", "send-email": "http:%2F%2Fx", "record-failure": "https://b.example.com"}',
    )
    good, bad = enqueue_many([Note(), SendEmail(to="a@example.com", data=WelcomeData(name="Ada"))])
    assert (good.error, read(good.job_id).status) == (None, "pending")
    assert isinstance(bad.error, PublishRejected)
    assert read(bad.job_id).status == "failed"


def test_qstash_down_leaves_all_of_them_accepted(qstash: QStashServer, connection: Connection) -> None:
    qstash.faults.refuse_publish(503)
    enqueued = enqueue_many(Note() for _each in range(250))
    assert {each.error for each in enqueued} == {None}
    qstash.faults.clear()
    connection.execute("UPDATE job_executions SET publish_after = now()")
    assert relay.publish_unpublished(500, ends_at=1e18) == (250, 250)


def test_many_in_a_transaction_are_published_after_its_commit(
    client: QStash, database_url: str, connection: Connection
) -> None:
    with psycopg.connect(database_url) as own, dispatcher.transaction(own):
        enqueue_many([Note(), Note()], connection=own)
        assert count(connection) == 0
    rows = connection.execute("SELECT published_at FROM job_executions").fetchall()
    assert [row["published_at"] is not None for row in rows] == [True, True]


# --- cancelling --------------------------------------------------------------------------------------------


def test_a_waiting_job_is_cancelled_and_its_message_withdrawn(client: QStash, read: Read) -> None:
    job_id = enqueue(Note(), delay=3600)
    message_id = read(job_id).qstash_message_id or ""
    cancel(job_id, "no longer wanted")
    row = read(job_id)
    assert (row.status, row.error) == ("cancelled", "no longer wanted")
    assert row.completed_at is not None
    with pytest.raises(Exception, match="404"):
        client.message.get(message_id)


def test_a_running_job_is_fenced_out_and_its_result_not_recorded(
    client: QStash, accept: Accept, read: Read
) -> None:
    job = accept(Note())
    seen: list[bool] = []

    def run(running: Job[Note]) -> str:
        cancel(running.id)
        seen.append(running.cancelled)
        return "too late"

    assert deliver(run, job) == 200
    assert (seen, read(job.job_id).status, read(job.job_id).result) == ([True], "cancelled", None)


def test_a_cancelled_job_does_not_run(client: QStash, accept: Accept) -> None:
    job = accept(Note())
    cancel(job.job_id)
    ran: list[Any] = []
    assert (deliver(ran.append, job), ran) == (200, [])


def test_qstash_down_does_not_keep_a_job_from_being_cancelled(accept: Accept, read: Read) -> None:
    job = accept(Note())
    cancel(job.job_id)
    assert read(job.job_id).status == "cancelled"


def test_what_cannot_be_cancelled(client: QStash, accept: Accept) -> None:
    job = accept(Note())
    deliver(lambda _job: None, job)
    with pytest.raises(JobHasEnded, match="it is completed"):
        cancel(job.job_id)
    with pytest.raises(JobNotFound):
        cancel(uuid.uuid4())


# --- running again -----------------------------------------------------------------------------------------


def fail(job: Any, reason: str = "the account is closed") -> None:
    assert deliver(lambda _job: Fail(reason), job) == 489


def test_a_dead_letter_is_run_again_and_keeps_its_errors(client: QStash, accept: Accept, read: Read) -> None:
    job = accept(Note(), attempts=2)
    fail(job)
    retry(job.job_id)
    row = read(job.job_id)
    assert (row.status, row.run, row.attempt, row.max_attempts, row.publication) == ("pending", 2, 1, 3, 2)
    assert (row.error, row.completed_at, len(row.errors)) == (None, None, 1)
    assert row.published_at is not None
    new_message = (client.message.get(row.qstash_message_id or "").body or "").encode()
    worker = job_worker(Note)(lambda running: running.run)
    assert worker(event(new_message), Context())["statusCode"] == 200
    row = read(job.job_id)
    assert (row.status, row.result, row.attempt, len(row.errors)) == ("completed", 2, 2, 1)


def test_the_old_runs_message_is_done_with(client: QStash, accept: Accept) -> None:
    job = accept(Note())
    fail(job)
    retry(job.job_id)
    ran: list[Any] = []
    assert (deliver(ran.append, job), ran) == (200, [])


def test_the_payload_may_be_corrected(client: QStash, accept: Accept, read: Read) -> None:
    job = accept(Note(text="wrong"))
    fail(job)
    retry(job.job_id, payload=Note(text="right"))
    assert read(job.job_id).payload == {"text": "right"}


def test_a_payload_of_another_type_is_refused(client: QStash, accept: Accept, read: Read) -> None:
    job = accept(Note())
    fail(job)
    with pytest.raises(InvalidJob, match="takes no send-email"):
        retry(job.job_id, payload=SendEmail(to="a@example.com", data=WelcomeData(name="Ada")))
    assert read(job.job_id).status == "failed"


def test_what_cannot_be_run_again(client: QStash, accept: Accept) -> None:
    waiting, done = accept(Note()), accept(Note())
    deliver(lambda _job: None, done)
    with pytest.raises(JobNotEnded, match="it is pending"):
        retry(waiting.job_id)
    with pytest.raises(JobHasEnded, match="it is completed"):
        retry(done.job_id)
    with pytest.raises(JobNotFound):
        retry(uuid.uuid4())


def test_a_cancelled_job_is_run_again_by_its_id(client: QStash, accept: Accept, read: Read) -> None:
    job = accept(Note())
    cancel(job.job_id)
    retry(job.job_id)
    assert read(job.job_id).status == "pending"


def test_dead_letters_are_replayed_by_what_they_have_in_common(
    client: QStash, accept: Accept, read: Read, connection: Connection
) -> None:
    limited, closed, done = accept(Note()), accept(Note()), accept(Note())
    fail(limited, "Rate limit exceeded")
    fail(closed)
    deliver(lambda _job: None, done)
    assert replay(job_type=JobType.CRM_MATCH, error="rate LIMIT") == [limited.job_id]
    with pytest.raises(NothingToReplay, match="no dead letter fits error=rate limit"):
        replay(error="rate limit")
    with pytest.raises(NothingToReplay):
        replay(job_type=JobType.SEND_EMAIL)
    now = datetime.now(UTC)
    with pytest.raises(NothingToReplay):
        replay(failed_before=now - timedelta(hours=1))
    assert replay(failed_after=now - timedelta(hours=1)) == [closed.job_id]
    assert {read(job.job_id).status for job in (limited, closed)} == {"pending"}
    assert read(done.job_id).status == "completed"


@pytest.mark.parametrize("act", [cancel, retry])
def test_an_id_that_is_none_is_refused_and_nothing_asked(act: Any) -> None:
    with pytest.raises(InvalidJob, match=r"job_id: must be a UUID, not 'nope'"):
        act("nope")


def test_a_replay_of_a_type_that_is_none_says_which_there_are(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownJobType, match="there is no job type 'send_email'; there are send-email, "):
        replay(job_type="send_email")  # type: ignore[arg-type]


def test_a_replay_without_a_filter_is_refused(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidJob, match="give at least one of job_type"):
        replay()


def test_a_percent_sign_in_the_error_is_only_a_percent_sign(client: QStash, accept: Accept) -> None:
    fail(accept(Note()), "disk at 99 %")
    with pytest.raises(NothingToReplay):
        replay(error="9%")
    assert len(replay(error="99 %")) == 1


def test_two_replays_at_once_start_one_run(client: QStash, accept: Accept, read: Read) -> None:
    job = accept(Note())
    fail(job)
    ends: list[str] = []

    def again() -> None:
        try:
            retry(job.job_id)
            ends.append("replayed")
        except (JobNotEnded, JobHasEnded) as error:
            ends.append(type(error).__name__)

    threads = [threading.Thread(target=again) for _each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends.count("replayed") == 1
    assert (read(job.job_id).run, read(job.job_id).publication) == (2, 2)


# --- the next jobs -----------------------------------------------------------------------------------------


def test_the_next_jobs_are_accepted_with_the_completion_and_published(
    client: QStash, accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())
    then = [Note(text="next"), JobRequest(Note(text="later"), delay=60)]
    assert deliver(lambda _job: Complete({"ok": True}, then=then), job) == 200
    assert (read(job.job_id).status, read(job.job_id).result) == ("completed", {"ok": True})
    rows = connection.execute(
        "SELECT payload ->> 'text' AS text, published_at FROM job_executions WHERE job_id <> %s ORDER BY 1",
        [job.job_id],
    ).fetchall()
    assert [row["text"] for row in rows] == ["later", "next"]
    assert all(row["published_at"] for row in rows)


def test_a_stale_attempts_next_jobs_never_existed(
    client: QStash, accept: Accept, connection: Connection
) -> None:
    def run(_job: Job[Note]) -> Complete:
        connection.execute("UPDATE job_executions SET attempt = attempt + 1")
        return Complete(then=[Note(text="next")])

    assert deliver(run, accept(Note())) == 503
    assert count(connection) == 1


def test_a_next_job_that_is_wrong_fails_the_job_and_completes_nothing(
    client: QStash, accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())
    assert deliver(lambda _job: Complete(then=[JobRequest(Note(), delay=-1)]), job) == 489
    assert "delay" in (read(job.job_id).error or "")
    assert count(connection) == 1


def test_a_job_takes_its_organization_to_the_next(
    client: QStash, accept: Accept, connection: Connection
) -> None:
    job = accept(Note(), organization_id=9, user_id=7)
    deliver(
        lambda _job: Complete(then=[Note(text="next"), JobRequest(Note(text="own"), organization_id=3)]), job
    )
    rows = connection.execute(
        "SELECT user_id, organization_id FROM job_executions WHERE job_id <> %s ORDER BY payload ->> 'text'",
        [job.job_id],
    ).fetchall()
    assert [tuple(row.values()) for row in rows] == [(7, 9), (None, 3)]


# --- flow control ------------------------------------------------------------------------------------------


def test_one_organizations_jobs_do_not_hold_up_anothers(
    client: QStash, read: Read, environment: pytest.MonkeyPatch
) -> None:
    config = replace(registry.get_job_config("crm-match"), flow_control=FlowControl(2, per_organization=True))
    environment.setitem(registry.REGISTRY, JobType.CRM_MATCH, config)

    def key(**options: Any) -> str:
        message = client.message.get(read(enqueue(Note(), **options)).qstash_message_id or "")
        assert message.flow_control is not None
        assert message.flow_control.parallelism == 2
        return message.flow_control.key

    assert [key(organization_id=1), key(organization_id=2), key()] == [
        "crm-match-1",
        "crm-match-2",
        "crm-match",
    ]


def test_next_jobs_that_cannot_be_written_now_cost_an_attempt_and_not_the_job(
    client: QStash, accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())

    def run(running: Job[Note]) -> Complete:
        with running.transaction() as open_transaction:
            open_transaction.execute("SELECT 1")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
        return Complete(then=[Note(text="next")])

    assert deliver(run, job) == 500
    assert read(job.job_id).status == "retrying"


def test_the_only_one_of_many_is_named_by_its_position_too(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidJob, match=r"enqueue_many: jobs\[0\]\.delay"):
        enqueue_many([JobRequest(Note(), delay=-1)])
