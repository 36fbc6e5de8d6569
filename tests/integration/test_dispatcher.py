"""Enqueueing: record, publish, stamp; and what is left behind when a step fails."""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import psycopg
import pytest
from qstash import QStash
from qstash.log import LogState

from infra.local.qstash import QStashServer
from shared import database, dispatcher, executions, relay
from shared.database import Connection
from shared.dispatcher import JobRequest, enqueue, enqueue_batch, enqueue_many
from shared.envelope import Payload
from shared.errors import (
    DatabaseUnavailable,
    IdempotencyConflict,
    InvalidJob,
    MissingSettings,
    PublishRejected,
)
from shared.jobs.ping import Ping
from shared.registry import JobType
from shared.rows import Receipt
from shared.worker import job_worker
from tests.integration.conftest import Accept, Read
from tests.integration.delivering import URL, Context, envelope, event
from tests.integration.jobs import Note


@pytest.fixture
def client(qstash: QStashServer) -> Iterator[QStash]:
    made = QStash(qstash.token, base_url=qstash.url, retry=False)
    yield made
    made.http._client.close()


def rows(connection: Connection) -> list[Any]:
    return connection.execute("SELECT * FROM job_executions").fetchall()


# --- record, publish, stamp --------------------------------------------------------------------------------


def test_a_job_is_recorded_published_and_stamped(client: QStash, read: Read) -> None:
    job_id = enqueue(
        Note(text="hi"), user_id=7, organization_id=9, idempotency_key="k", headers={"X-Trace": "t1"}
    )
    row = read(job_id)
    assert (row.status, row.job_type, row.payload, row.attempt, row.max_attempts) == (
        "pending", "crm-match", {"text": "hi"}, 0, 4,
    )  # fmt: skip
    assert row.published_at is not None
    message = client.message.get(row.qstash_message_id or "")
    assert message.url == URL
    assert json.loads(message.body or "") == {
        "jobId": str(job_id),
        "publication": 1,
        "type": "crm-match",
        "payload": {"text": "hi"},
        "metadata": {
            "userId": 7,
            "organizationId": 9,
            "idempotencyKey": "k",
            "createdAt": row.created_at.isoformat().replace("+00:00", "Z"),
        },
    }
    assert message.max_retries == 5  # the job's three and two to spare
    assert message.failure_callback == URL
    assert message.headers == {"Content-Type": ["application/json"], "X-Trace": ["t1"]}
    assert message.flow_control is not None
    assert (message.flow_control.key, message.flow_control.parallelism) == ("crm-match", 4)
    assert job_id.version == 7


def test_what_qstash_holds_is_what_a_worker_takes(client: QStash, read: Read) -> None:
    job_id = enqueue(Note(text="round trip"))
    message = client.message.get(read(job_id).qstash_message_id or "")
    answer = job_worker(Note)(lambda job: job.payload.text)(event((message.body or "").encode()), Context())
    assert (answer["statusCode"], read(job_id).result) == (200, "round trip")


def test_options(client: QStash, read: Read) -> None:
    before = datetime.now(UTC)
    job_id = enqueue(Note(), delay=90, retries=1, callback="https://app.example.com/done")
    row = read(job_id)
    assert row.max_attempts == 2
    assert row.not_before is not None
    assert timedelta(seconds=88) < row.not_before - before < timedelta(seconds=95)
    message = client.message.get(row.qstash_message_id or "")
    assert 0 <= message.not_before / 1000 - row.not_before.timestamp() <= 1
    assert message.max_retries == 3
    assert message.callback == "https://app.example.com/done"


@pytest.mark.parametrize("delay", [timedelta(minutes=2), 120.0])
def test_a_delay_may_be_a_timedelta(client: QStash, read: Read, delay: Any) -> None:
    not_before = read(enqueue(Note(), delay=delay)).not_before
    assert not_before is not None
    assert not_before > datetime.now(UTC) + timedelta(seconds=110)


def test_a_job_beyond_qstashs_reach_waits_in_the_table(
    client: QStash, read: Read, connection: Connection
) -> None:
    job_id = enqueue(Note(), not_before=datetime.now(UTC) + timedelta(days=10))
    assert read(job_id).published_at is None
    assert relay.publish_unpublished(10, ends_at=1e18) == (0, 0)
    connection.execute("UPDATE job_executions SET publish_after = publish_after - interval '3 days 1 hour'")
    assert relay.publish_unpublished(10, ends_at=1e18) == (1, 1)


# --- idempotency -------------------------------------------------------------------------------------------


def test_a_known_key_returns_the_first_jobs_id(client: QStash, connection: Connection) -> None:
    first = enqueue(Note(), idempotency_key="k")
    assert enqueue(Note(), idempotency_key="k") == first
    assert len(rows(connection)) == 1


def test_a_known_key_with_another_payload_is_an_error(client: QStash, connection: Connection) -> None:
    first = enqueue(Note(text="a"), idempotency_key="k")
    with pytest.raises(IdempotencyConflict, match=str(first)):
        enqueue(Note(text="b"), idempotency_key="k")
    assert len(rows(connection)) == 1


def test_a_key_is_an_organizations_own(client: QStash) -> None:
    ids = {enqueue(Note(), idempotency_key="k", organization_id=each) for each in (None, 1, 2)}
    assert len(ids) == 3


def test_the_same_key_from_many_threads_is_one_job(client: QStash, connection: Connection) -> None:
    found: list[uuid.UUID] = []
    threads = [
        threading.Thread(target=lambda: found.append(enqueue(Note(), idempotency_key="k")))
        for _each in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(found), len(set(found)), len(rows(connection))) == (8, 1, 1)


# --- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "field", "allowed"),
    [
        ({"delay": -1}, "delay", "0 to 315360000 seconds"),
        ({"delay": "soon"}, "delay", "duration"),
        ({"not_before": datetime(2030, 1, 1)}, "not_before", "timezone"),  # noqa: DTZ001
        ({"delay": 1, "not_before": datetime(2030, 1, 1, tzinfo=UTC)}, "payload", "not both"),
        ({"retries": -1}, "retries", "greater than or equal to 0"),
        ({"retries": 51}, "retries", "less than or equal to 50"),
        ({"user_id": "seven"}, "user_id", "integer"),
        ({"organization_id": 0}, "organization_id", "greater than or equal to 1"),
        ({"idempotency_key": ""}, "idempotency_key", "at least 1 character"),
        ({"headers": {"Upstash-Retries": "9"}}, "headers", "Upstash-"),
        ({"headers": {"X-A": "line\r\nbreak"}}, "headers", "printable"),
        ({"callback": "/relative"}, "callback", "absolute"),
        ({"failure_callback": "ftp://a"}, "failure_callback", "absolute"),
    ],
)
def test_bad_options_name_the_field_and_write_nothing(
    client: QStash, connection: Connection, options: dict[str, Any], field: str, allowed: str
) -> None:
    with pytest.raises(InvalidJob, match=allowed) as caught:
        enqueue(Note(), **options)
    assert caught.value.field == field
    assert rows(connection) == []


def test_every_bad_option_is_named_at_once(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidJob) as caught:
        enqueue(Note(), delay=-1, retries=-1)
    assert [field for field, _what in caught.value.problems] == ["delay", "retries"]


def test_a_payload_of_wrong_shape(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidJob, match=r"Note: text: Input should be a valid string; colour: Extra inputs"):
        Note(text=5, colour="red")


@pytest.mark.parametrize(
    ("payload", "what"), [(Note(text="a" * 17_000_000), "16777216 bytes"), (Note(text="a\x00b"), "NUL")]
)
def test_a_payload_that_cannot_travel(connection: Connection, payload: Payload, what: str) -> None:
    with pytest.raises(InvalidJob, match=what):
        enqueue(payload)
    assert rows(connection) == []


def test_a_payload_forced_past_its_checks_is_caught(connection: Connection) -> None:
    with pytest.raises(InvalidJob, match="text"):
        enqueue(Note.model_construct(text=5))  # type: ignore[arg-type]
    assert rows(connection) == []


def test_what_is_no_payload(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidJob, match="must be a Payload of a job type, not dict"):
        enqueue({"text": "hi"})  # type: ignore[arg-type]
    with pytest.raises(InvalidJob, match="must be a Payload of a job type, not the class Note"):
        enqueue(Note)  # type: ignore[arg-type]


@pytest.mark.parametrize("one", [Ping(), Note(), JobRequest(Ping())])
def test_one_job_where_several_are_asked_for_is_not_taken_for_none(
    environment: pytest.MonkeyPatch, one: Payload | JobRequest
) -> None:
    """A payload can be iterated, field by field, and one without fields is then an empty list."""
    with pytest.raises(InvalidJob, match="enqueue_many: jobs: must be several, as a list, and this is one "):
        enqueue_many(one)  # type: ignore[arg-type]
    with pytest.raises(InvalidJob, match="enqueue_batch: jobs: must be several"):
        enqueue_batch(one, then=Ping())  # type: ignore[arg-type]


def test_an_orms_connection_is_refused_before_anything_is_written(environment: pytest.MonkeyPatch) -> None:
    wrapped = cast("psycopg.Connection[Any]", object())
    wanted = r"connection: must be a psycopg.Connection, not object: an ORM's has to be unwrapped"
    with pytest.raises(InvalidJob, match=wanted):
        enqueue(Note(), connection=wrapped)
    with pytest.raises(InvalidJob, match=wanted):
        enqueue_many([Note()], connection=wrapped)
    with pytest.raises(InvalidJob, match=wanted):
        enqueue_batch([Note()], then=Ping(), connection=wrapped)


def test_missing_settings_are_named_before_anything_is_written(
    connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    environment.delenv("QSTASH_TOKEN")
    with pytest.raises(MissingSettings, match="QSTASH_TOKEN is missing"):
        enqueue(Note())
    assert rows(connection) == []


def test_an_unreachable_postgres_is_one_line(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseUnavailable, match="cannot connect to Postgres") as caught:
        enqueue(Note())
    assert "\n" not in str(caught.value)


# --- QStash down -------------------------------------------------------------------------------------------


def test_qstash_down_leaves_an_accepted_job_that_is_published_later(
    client: QStash, qstash: QStashServer, read: Read, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    qstash.faults.refuse_publish(503, times=1)
    job_id = enqueue(Note())
    assert (read(job_id).status, read(job_id).published_at) == ("pending", None)
    assert "not published; reconcile will try again: QStash at " in caplog.text
    assert relay.publish_unpublished(10, ends_at=1e18) == (0, 0)  # not due yet
    connection.execute("UPDATE job_executions SET publish_after = now()")
    assert relay.publish_unpublished(10, ends_at=1e18) == (1, 1)
    assert client.message.get(read(job_id).qstash_message_id or "").url == URL


@pytest.mark.parametrize("status", [401, 403, 404, 412, 429, 500])
def test_nothing_but_a_400_is_permanent(qstash: QStashServer, read: Read, status: int) -> None:
    qstash.faults.refuse_publish(status)
    assert read(enqueue(Note())).status == "pending"


def test_no_endpoint_leaves_the_job_for_later(
    qstash: QStashServer, environment: pytest.MonkeyPatch, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    environment.setenv("JOB_ENDPOINTS", "{}")
    assert read(enqueue(Note())).status == "pending"


def test_a_refused_message_fails_the_job_in_qstashs_words(
    qstash: QStashServer, environment: pytest.MonkeyPatch, connection: Connection
) -> None:
    environment.setenv("JOB_ENDPOINTS", json.dumps({"crm-match": "http:%2F%2Fx", "record-failure": URL}))
    with pytest.raises(PublishRejected, match=r"QStash refused the message: .*invalid destination url"):
        enqueue(Note())
    (row,) = rows(connection)
    assert (row["status"], row["attempt"]) == ("failed", 0)
    assert "invalid destination url" in row["error"]


def test_a_refused_republication_never_fails_the_job(
    qstash: QStashServer, accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note(), published=False)
    connection.execute("UPDATE job_executions SET publish_after = now()")
    qstash.faults.refuse_publish(400)
    assert relay.publish_unpublished(10, ends_at=1e18) == (1, 0)
    assert read(job.job_id).status == "pending"


def test_a_message_refused_among_others_is_left_for_later_and_not_silently(
    qstash: QStashServer,
    environment: pytest.MonkeyPatch,
    accept: Accept,
    connection: Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    environment.setenv("JOB_ENDPOINTS", json.dumps({"crm-match": "http:%2F%2Fx", "record-failure": URL}))
    accept(Note(), published=False)
    connection.execute("UPDATE job_executions SET publish_after = now()")
    assert relay.publish_unpublished(10, ends_at=1e18) == (1, 0)
    assert [row["status"] for row in rows(connection)] == ["pending"]
    (line,) = (record for record in caplog.records if "not published" in record.message)
    assert "invalid destination url" in vars(line)["reason"]


def test_a_stamp_never_overwrites_a_newer_publication(
    accept: Accept, connection: Connection, read: Read
) -> None:
    job = accept(Note(), published=False)
    connection.execute("UPDATE job_executions SET publication = 2")
    assert executions.stamp_publications(connection, [(job, Receipt("msg_late"))]) == 0
    assert read(job.job_id).published_at is None


# --- a caller's own transaction ----------------------------------------------------------------------------


@pytest.fixture
def own(database_url: str) -> Any:
    with psycopg.connect(database_url) as connection:
        yield connection


def test_an_enqueue_in_a_committed_transaction_runs(
    client: QStash, own: Any, read: Read, connection: Connection
) -> None:
    with dispatcher.transaction(own):
        job_id = enqueue(Note(), connection=own)
        assert rows(connection) == []
    assert read(job_id).published_at is not None


def test_an_enqueue_in_a_rolled_back_transaction_never_existed(
    client: QStash, own: Any, connection: Connection
) -> None:
    with suppress(ZeroDivisionError), dispatcher.transaction(own):
        enqueue(Note(), connection=own)
        raise ZeroDivisionError
    assert rows(connection) == []
    with dispatcher.transaction(own):
        pass
    assert rows(connection) == []


def test_an_enqueue_in_a_rolled_back_savepoint_is_not_published(
    client: QStash, own: Any, connection: Connection
) -> None:
    with dispatcher.transaction(own):
        with suppress(ZeroDivisionError), own.transaction():
            enqueue(Note(text="undone"), connection=own)
            raise ZeroDivisionError
        kept = enqueue(Note(text="kept"), connection=own)
    (row,) = rows(connection)
    assert (row["job_id"], row["published_at"] is not None) == (kept, True)


def test_a_savepoint_publishes_nothing_before_the_commit(client: QStash, own: Any, read: Read) -> None:
    with dispatcher.transaction(own):
        with dispatcher.transaction(own):
            job_id = enqueue(Note(), connection=own)
        with pytest.raises(AssertionError):
            read(job_id)
    assert read(job_id).published_at is not None


def test_without_the_block_the_outbox_has_it(client: QStash, own: Any, read: Read) -> None:
    job_id = enqueue(Note(), connection=own)
    own.commit()
    assert read(job_id).published_at is None


def test_a_worker_publishes_what_its_transaction_wrote(client: QStash, accept: Accept, read: Read) -> None:
    next_jobs: list[uuid.UUID] = []

    def run(job: Any) -> None:
        with job.transaction() as open_transaction:
            next_jobs.append(enqueue(Note(text="next"), connection=open_transaction))

    answer = job_worker(Note)(run)(event(envelope(accept(Note()))), Context())
    assert answer["statusCode"] == 200
    assert read(next_jobs[0]).published_at is not None


def test_an_enqueue_beside_the_jobs_transaction_is_not_part_of_it(
    client: QStash, accept: Accept, read: Read
) -> None:
    beside: list[uuid.UUID] = []

    def run(job: Any) -> None:
        with job.transaction() as open_transaction:
            open_transaction.execute("SELECT 1")
            beside.append(enqueue(Note(text="beside")))
            assert read(beside[0]).published_at is not None
        raise ValueError

    assert job_worker(Note)(run)(event(envelope(accept(Note()))), Context())["statusCode"] == 500
    assert read(beside[0]).status == "pending"


# --- a caller's failure callback ---------------------------------------------------------------------------


def test_the_callers_failure_callback_is_published_once_failed_is_committed(
    client: QStash, read: Read, connection: Connection
) -> None:
    job_id = enqueue(Note(), failure_callback="https://app.example.com/failed")
    message = client.message.get(read(job_id).qstash_message_id or "")
    assert message.failure_callback == URL  # QStash has one slot, and it is record-failure's

    def run(_job: Any) -> None:
        raise ValueError("no luck")

    worker = job_worker(Note)(run)
    for _attempt in range(3):
        worker(event((message.body or "").encode()), Context())
        assert rows(connection)[0]["failure_called_at"] is None
    worker(event((message.body or "").encode()), Context())
    assert rows(connection)[0]["failure_called_at"] is not None
    (told,) = client.log.list(filter={"label": "failure-callback", "state": LogState.CREATED}).logs
    assert told.url == "https://app.example.com/failed"


# --- inline ------------------------------------------------------------------------------------------------


def test_inline_mode_runs_the_job_in_the_caller(
    environment: pytest.MonkeyPatch, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys
    import types

    module = types.ModuleType("functions.crm_match.handler")
    module.handler = job_worker(Note)(lambda job: job.payload.text.upper())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "functions.crm_match", types.ModuleType("functions.crm_match"))
    monkeypatch.setitem(sys.modules, "functions.crm_match.handler", module)
    environment.setenv("JOB_DELIVERY", "inline")
    assert read(enqueue(Note(text="hi"), delay=3600)).result == "HI"


def test_inline_mode_without_the_function_says_so(environment: pytest.MonkeyPatch) -> None:
    class Unserved(Payload, type=JobType.SEND_REMINDER):
        pass

    environment.setenv("JOB_DELIVERY", "inline")
    environment.setitem(sys.modules, "functions.send_reminder.handler", None)  # as where it is not installed
    with pytest.raises(LookupError, match=r"inline mode needs functions\.send_reminder\.handler"):
        enqueue(Unserved())
    database.discard()
