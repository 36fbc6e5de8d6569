"""What was enqueued: found by part of it, refuted, and shown where it is not what was looked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import ANY

import psycopg
import pytest

from shared import dispatcher
from shared.dispatcher import JobRequest, enqueue, enqueue_batch, enqueue_many
from shared.jobs.send_email import SendEmail, WelcomeData
from shared.testing import Jobs
from tests.integration.kit.conftest import Connection
from tests.integration.kit.notes import Author, Bell, Note, Secret, Tone


@pytest.mark.parametrize(
    "named",
    [
        {},
        {"text": "hi"},
        {"text": ANY, "tone": Tone.FIRM},
        {"tone": "firm"},
        {"day": date(2026, 1, 2)},
        {"day": "2026-01-02"},
        {"author": Author()},
        {"author": {"email": "ada@example.com"}},
        {"fields": {"user_id": 1}, "user_id": 7},
        {"organization_id": 3, "idempotency_key": "k", "status": "pending", "schedule_id": None},
        {"delay": 60},
        {"delay": timedelta(minutes=1)},
        {"delay": 59.5, "within": 0.6},
    ],
)
def test_a_job_is_found_by_part_of_it(jobs: Jobs, named: dict[str, Any]) -> None:
    enqueue(Bell())
    job_id = enqueue(
        Note(text="hi", tone=Tone.FIRM), organization_id=3, user_id=7, idempotency_key="k", delay=60
    )
    found = jobs.assert_enqueued(Note, count=1, **named)
    assert (found.job_id, found.payload.author.name, found.delay) == (job_id, "Ada", 60)
    assert jobs.enqueued(Note, **named) == [found]
    with pytest.raises(AssertionError, match=r"^1 Note.* enqueued, not 0\. "):
        jobs.refute_enqueued(Note, **named)


@pytest.mark.parametrize(
    "named",
    [
        {"text": "ho"},
        {"tone": "kind"},
        {"author": {"email": "bob@example.com"}},
        {"fields": {"user_id": 7}},
        {"user_id": 1},
        {"organization_id": None},
        {"delay": 66},
        {"delay": None},
        {"delay": 60, "within": -1},
        {"not_before": datetime(2030, 1, 1, tzinfo=UTC)},
        {"status": "completed"},
        {"count": 2},
        {"count": 0},
    ],
)
def test_a_job_is_not_found_by_what_it_is_not(jobs: Jobs, named: dict[str, Any]) -> None:
    enqueue(Note(text="hi", tone=Tone.FIRM), user_id=7, organization_id=3, delay=60)
    with pytest.raises(AssertionError):
        jobs.assert_enqueued(Note, **named)
    if "count" not in named:
        jobs.refute_enqueued(Note, **named)
        assert jobs.enqueued(Note, **named) == []


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"author": {"nickname": "Ada"}}, "author has no field 'nickname'; it has email, name"),
        ({"status": "complete"}, "there is no status 'complete'; there are pending"),
        ({"organization_id": "3"}, "organization_id is int, not '3'"),
        ({"idempotency_key": 3}, "idempotency_key is str, not 3"),
        ({"not_before": 3600}, "not_before is datetime, not 3600"),
        ({"delay": datetime(2030, 1, 1, tzinfo=UTC)}, "delay is int or float or timedelta, not"),
    ],
)
def test_what_no_job_can_have_is_not_refuted(jobs: Jobs, named: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        jobs.refute_enqueued(Note, **named)


@pytest.mark.parametrize("delay", [None, 0, 0.0, timedelta(0), 3, ANY])
@pytest.mark.parametrize("given", [None, 0])
def test_at_once_is_a_delay_of_nothing(jobs: Jobs, delay: Any, given: float | None) -> None:
    enqueue(Note(), delay=given)
    with pytest.raises(AssertionError, match="enqueued, not 0"):
        jobs.refute_enqueued(Note, delay=delay)
    jobs.refute_enqueued(Note, delay=6)


def test_values_are_compared_as_they_are_stored(jobs: Jobs) -> None:
    mail = SendEmail(to="ada@EXAMPLE.com", data=WelcomeData(name="Ada"))
    enqueue(mail)
    for data in ({"name": "Ada"}, mail.data):
        jobs.assert_enqueued(SendEmail, to="ada@EXAMPLE.com", data=data)
    jobs.refute_enqueued(SendEmail, to="bob@EXAMPLE.com")
    jobs.refute_enqueued(SendEmail, to=7)
    enqueue(Note())
    unchecked: Any = Note.model_construct
    jobs.assert_enqueued(unchecked(day="2026-01-02", author={"name": "Ada"}))
    jobs.refute_enqueued(unchecked(day="no day"))


def test_a_whole_payload_is_compared_whole(jobs: Jobs) -> None:
    enqueue(Note(text="hi"))
    jobs.assert_enqueued(Note(text="hi"), user_id=None)
    jobs.refute_enqueued(Note(text="hi", tone=Tone.FIRM))
    with pytest.raises(TypeError, match="give the payload's class to look at its fields: text"):
        jobs.assert_enqueued(Note(text="hi"), text="hi")


def test_a_time_that_was_asked_for_is_found(jobs: Jobs) -> None:
    at = datetime.now(UTC) + timedelta(days=2)
    enqueue(Note(), not_before=at)
    jobs.advance(timedelta(days=1))
    enqueue(Note(text="later"), not_before=at)
    jobs.advance(timedelta(hours=1))
    jobs.assert_enqueued(Note, not_before=at, count=2, within=0.001)
    assert [job.not_before for job in jobs.enqueued(Note)] == [at, at]


def test_what_was_enqueued_is_shown_and_what_of_it_differs(jobs: Jobs) -> None:
    enqueue(Note(text="hi"), organization_id=3, delay=60)
    enqueue(Bell())
    with pytest.raises(AssertionError) as caught:
        jobs.assert_enqueued(Note, text="ho", organization_id=4)
    assert str(caught.value).splitlines() == [
        "no Note with text='ho', organization_id=4 was enqueued. Enqueued since the test began:",
        f"  1. {Note(text='hi')!r}, organization_id=3, due in 60 s, pending",
        "     but text is 'hi', and organization_id is 3",
        "  2. Ping(), due at once, pending",
    ]


def test_that_nothing_was_enqueued_is_said_with_a_hint(jobs: Jobs) -> None:
    with pytest.raises(
        AssertionError, match=r"no Note was enqueued\. Nothing has been .* seen with connection= only"
    ):
        jobs.assert_enqueued(Note)
    jobs.refute_enqueued()
    enqueue(Bell())
    with pytest.raises(AssertionError, match="1 job enqueued, not 0"):
        jobs.refute_enqueued()


def test_a_misspelt_field_is_an_error_and_refutes_nothing(jobs: Jobs) -> None:
    for look in (jobs.assert_enqueued, jobs.refute_enqueued, jobs.enqueued):
        with pytest.raises(
            TypeError, match=r"Note has no field 'txt'; it has text, tone, .* organization_id,"
        ):
            look(Note, txt="hi")
    with pytest.raises(TypeError, match="give the payload's class"):
        jobs.refute_enqueued(text="hi")


@pytest.mark.parametrize("wrong", ["crm-match", Note.job_type, dict, object()])
def test_what_is_no_payloads_class_is_an_error(jobs: Jobs, wrong: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: jobs.assert_enqueued(wrong),
        lambda: jobs.refute_enqueued(wrong),
        lambda: jobs.use(wrong, lambda _job: None),
        lambda: jobs.perform({"text": "hi"}, lambda _job: None),  # type: ignore[type-var]
        lambda: jobs.drain(wrong),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="give the class of a job's payload, such as SendEmail, not"):
            call()


def test_many_a_batch_and_a_repeated_key_are_what_was_accepted(jobs: Jobs) -> None:
    enqueue_many([Note(text="a"), JobRequest(Note(text="b"), user_id=7)])
    batch = enqueue_batch([Bell(rings=2), Bell(rings=3)], then=Note(text="rung"))
    for _ in range(2):
        enqueue(Note(text="once"), idempotency_key="once")
    assert [job.payload.text for job in jobs.enqueued(Note)] == ["a", "b", "once"]
    assert [job.payload.rings for job in jobs.enqueued(Bell, batch_id=batch.id)] == [2, 3]


def test_a_sensitive_payload_is_opened_and_not_shown(jobs: Jobs) -> None:
    enqueue(Secret())
    assert jobs.assert_enqueued(Secret, ssn="078-05-1120").payload.ssn == "078-05-1120"
    with pytest.raises(AssertionError) as caught:
        jobs.refute_enqueued(Secret)
    assert "078" not in str(caught.value)
    assert "078" not in str(jobs.qstash.messages)


def test_a_payload_that_its_class_cannot_read_is_neither_found_nor_refuted(jobs: Jobs) -> None:
    class Older(Note, type=Note.job_type):
        text: int  # type: ignore[assignment]

    enqueue(Older(text=1))
    wanted: list[tuple[Any, dict[str, Any]]] = [(Note, {"text": "hello"}), (Note(text="hello"), {})]
    for what, named in wanted:
        with pytest.raises(AssertionError, match="but its payload cannot be read as a Note"):
            jobs.assert_enqueued(what, **named)
        with pytest.raises(AssertionError, match=r"(?s)^perhaps .* but its payload cannot be read as a Note"):
            jobs.refute_enqueued(what, **named)
    jobs.refute_enqueued(Note, organization_id=3)
    jobs.assert_enqueued(Note)


def test_options_of_the_call_are_on_the_job(jobs: Jobs) -> None:
    enqueue(
        Note(),
        retries=0,
        headers={"X-Trace": "1"},
        callback="https://a.example/c",
        failure_callback="https://a.example/f",
    )
    (job,) = jobs.enqueued(Note)
    assert (job.max_attempts, job.headers, job.callback, job.failure_callback) == (
        1,
        {"X-Trace": "1"},
        "https://a.example/c",
        "https://a.example/f",
    )
    assert jobs.find(job.job_id).status == "pending"


# --- transactions ------------------------------------------------------------------------------------------


def test_what_a_transaction_has_not_committed_is_seen_on_its_connection(
    jobs: Jobs, connection: Connection
) -> None:
    with connection.transaction(force_rollback=True):
        enqueue(Note(), connection=connection)
        jobs.assert_enqueued(Note, connection=connection)
        jobs.refute_enqueued(Note)
    jobs.refute_enqueued(Note, connection=connection)


def test_a_suite_that_rolls_back_gives_its_connection_once(connection: Connection, database_url: str) -> None:
    with connection.transaction(force_rollback=True), Jobs(connection=connection) as jobs:
        enqueue(Note(), connection=connection, delay=60)
        jobs.assert_enqueued(Note)
        jobs.advance(60)
        with pytest.raises(RuntimeError, match=r"1 jobs are in a transaction that has not been committed"):
            jobs.drain()
        assert jobs.enqueued(Note, delay=60)
    with Jobs(connection=connection) as jobs:
        jobs.refute_enqueued()


def test_moving_time_in_a_transaction_locks_nothing_that_a_worker_needs(connection: Connection) -> None:
    with connection.transaction(force_rollback=True), Jobs(connection=connection) as jobs:
        job_id = enqueue(Note(), delay=60)  # committed
        jobs.advance(60)
        jobs.use(Note, lambda _job: None)
        assert jobs.drain().completed == 1
        enqueue(Note(), delay=60, connection=connection)
        jobs.advance(30)
        assert [round(job.delay or 0) for job in jobs.enqueued(Note, delay=60)] == [60, 60]
        assert jobs.find(job_id).status == "completed"


def test_looking_leaves_no_transaction_open(jobs: Jobs, database_url: str) -> None:
    """It would turn the next `dispatcher.transaction` into a savepoint, whose jobs are left to the sweep."""
    with psycopg.connect(database_url, prepare_threshold=None) as connection:
        jobs.refute_enqueued(connection=connection)
        with dispatcher.transaction(connection):
            enqueue(Note(), connection=connection)
            assert jobs.qstash.messages == []
            jobs.assert_enqueued(Note, connection=connection)
    assert len(jobs.qstash.messages) == 1


# --- the test's own ----------------------------------------------------------------------------------------


def test_a_test_sees_its_own_jobs_and_leaves_none(jobs: Jobs, connection: Connection) -> None:
    enqueue(Note(text="outer"), idempotency_key="k")
    enqueue(Secret())
    with Jobs() as inner:
        inner.refute_enqueued()
        enqueue_batch([Note()], then=Bell())
        inner.assert_enqueued(Note, count=1)
    assert [job.payload.text for job in jobs.enqueued(Note)] == ["outer"]
    assert connection.execute("SELECT count(*) FROM job_batches").fetchone() == (0,)
    with Jobs(keep=True):
        enqueue(Note(text="kept"))
    assert len(jobs.enqueued(Note)) == 2


def test_outside_its_block_it_says_so() -> None:
    jobs = Jobs()
    with pytest.raises(RuntimeError, match=r"with Jobs\(\) as jobs"):
        jobs.refute_enqueued()


def test_an_unknown_id_is_said(jobs: Jobs) -> None:
    with Jobs(keep=True):
        before = enqueue(Note())
    with Jobs() as inner, pytest.raises(LookupError, match=r"no job .* since the test began"):
        inner.find(before)
