"""Ways in which a job could be lost, doubled, stuck or leaked: each test is one of them."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import signal
import socket
import struct
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from types import ModuleType
from typing import Any

import psycopg
import pytest
from pydantic import ConfigDict
from qstash import QStash

from infra.local.background import Background
from infra.local.qstash import QStashServer
from shared import database, dispatcher, executions, outbox, publishing
from shared import worker as worker_module
from shared.alarm import Alarm
from shared.database import Connection
from shared.dispatcher import enqueue
from shared.envelope import Payload
from shared.errors import InvalidJob, PublishFailed
from shared.job import Job
from shared.outcomes import Cancel, Fail, Retry
from shared.registry import JobType
from shared.settings import DispatcherSettings
from shared.worker import Worker, job_worker
from tests.integration.conftest import Accept, Read
from tests.integration.delivering import Context, envelope, event
from tests.integration.jobs import Note

pytestmark = pytest.mark.usefixtures("environment")


def worker(run: Callable[[Job[Note]], Any]) -> Worker[Note]:
    made: Worker[Note] = job_worker(Note)(run)
    return made


def deliver(run: Callable[[Job[Note]], Any], job: Any, seconds: float = 60.0) -> dict[str, Any]:
    return worker(run)(event(envelope(job)), Context(seconds))


@pytest.fixture
def reconcile(qstash: QStashServer) -> Iterator[Any]:
    module = importlib.import_module("functions.reconcile.handler")
    yield lambda seconds=60.0: module.handler({}, Context(seconds))
    database.discard()


@pytest.fixture
def record_failure() -> ModuleType:
    return importlib.import_module("functions.record_failure.handler")


@pytest.fixture
def client(qstash: QStashServer) -> Iterator[QStash]:
    made = QStash(qstash.token, base_url=qstash.url, retry=False)
    yield made
    made.http._client.close()


def due_now(connection: Connection) -> None:
    connection.execute("UPDATE job_executions SET publish_after = now() WHERE published_at IS NULL")


# --- one row must not stop the sweep for all others ----------------------------------------------------------


def test_a_scheduled_run_that_crashed_is_delivered_again(
    reconcile: Any, read: Read, connection: Connection
) -> None:
    message = json.dumps({"type": "crm-match", "payload": {"text": "daily"}}).encode()
    headers = {"upstash-message-id": "msg_schedule_1", "upstash-schedule-id": "daily"}

    def crash(_job: Job[Note]) -> None:
        raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        worker(crash)(event(message, headers=headers), Context())
    connection.execute(
        "UPDATE job_executions SET status = 'processing', completed_at = NULL, "
        "lease_expires_at = now() - interval '1 s'"
    )
    assert reconcile()["given_back"] == 1
    row = connection.execute("SELECT job_id, published_at FROM job_executions").fetchone()
    assert row is not None
    assert row["published_at"] is not None


def test_a_row_that_cannot_be_published_does_not_keep_others_from_it(
    reconcile: Any, accept: Accept, read: Read, connection: Connection
) -> None:
    odd, plain = accept(Note(), published=False), accept(Note(), published=False)
    connection.execute("UPDATE job_executions SET publish_options = '{}' WHERE job_id = %s", [odd.job_id])
    due_now(connection)
    with suppress(KeyError):
        reconcile()
    assert read(plain.job_id).published_at is not None
    due_now(connection)
    reconcile()


@pytest.mark.parametrize(
    "when",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-14))),
    ],
    ids=["before year 1", "after year 9999"],
)
def test_a_time_that_cannot_be_read_back_is_refused_or_run(
    reconcile: Any, connection: Connection, when: datetime
) -> None:
    with suppress(InvalidJob, psycopg.DataError):  # the row is committed before its time is read
        enqueue(Note(), not_before=when)
    other = enqueue(Note())
    connection.execute(
        "UPDATE job_executions SET published_at = NULL, publish_after = now() WHERE coalesce(not_before, now()) <= now()"
    )
    for _minute in range(3):
        with suppress(psycopg.DataError):
            reconcile()
        connection.execute(
            "UPDATE job_executions SET publish_after = now() WHERE publish_after < now() + interval '1 h'"
        )
    row = connection.execute("SELECT published_at FROM job_executions WHERE job_id = %s", [other]).fetchone()
    assert row is not None
    assert row["published_at"] is not None
    assert executions.latest(connection)  # and the lists are there for people


# --- the job's own connection --------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["stream", "copy"])
def test_progress_while_rows_are_streamed(accept: Accept, read: Read, way: str) -> None:
    job = accept(Note())

    def run(job: Job[Note]) -> int:
        seen = 0
        with job.transaction() as connection, connection.cursor() as cursor:
            if way == "stream":
                for _row in cursor.stream("SELECT generate_series(1, 3)"):
                    seen += 1
                    job.progress(seen, 3)
            else:
                with cursor.copy("COPY (SELECT generate_series(1, 3)) TO STDOUT") as copy:
                    for _data in copy:
                        seen += 1
                        job.progress(seen, 3)
        return seen

    answer = deliver(run, job, seconds=5)
    assert (answer["statusCode"], read(job.job_id).error) == (200, None)


def test_a_timeout_while_rows_are_streamed_is_recorded(accept: Accept, read: Read) -> None:
    job = accept(Note())

    def run(job: Job[Note]) -> None:
        with job.transaction() as connection, connection.cursor() as cursor:
            for _row in cursor.stream("SELECT generate_series(1, 3)"):
                threading.Event().wait(30)

    answer = deliver(run, job, seconds=3.4)
    assert (answer["statusCode"], read(job.job_id).status) == (500, "retrying")


def test_a_timeout_while_another_thread_uses_the_transaction_is_recorded(accept: Accept, read: Read) -> None:
    job = accept(Note())
    threads: list[threading.Thread] = []

    def run(job: Job[Note]) -> None:
        def beside() -> None:
            with suppress(psycopg.Error), job.transaction() as connection:
                connection.execute("SELECT pg_sleep(20)")

        threads.append(threading.Thread(target=beside))
        threads[0].start()
        threads[0].join()

    answer = deliver(run, job, seconds=3.4)
    assert (answer["statusCode"], read(job.job_id).status) == (500, "retrying")
    threads[0].join(10)


def test_a_transaction_begun_in_another_thread_commits(accept: Accept, connection: Connection) -> None:
    connection.execute("CREATE TABLE ledger (entry text)")
    job = accept(Note())

    def run(job: Job[Note]) -> None:
        def write() -> None:
            with job.transaction() as open_transaction:
                open_transaction.execute("INSERT INTO ledger VALUES ('written')")

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    assert deliver(run, job)["statusCode"] == 200
    assert len(connection.execute("SELECT * FROM ledger").fetchall()) == 1


def test_a_connection_in_the_middle_of_a_command_is_not_given_to_the_next_job(
    accept: Accept, read: Read
) -> None:
    kept = database.connection()
    kept.pgconn.send_query(b"SELECT pg_sleep(20)")  # as an interruption leaves it
    job = accept(Note())
    assert deliver(lambda _job: None, job)["statusCode"] == 200


def test_progress_interrupted_in_a_task_leaves_a_worker_that_works(
    accept: Accept, connection: Connection, database_url: str
) -> None:
    job, next_job = accept(Note()), accept(Note())

    async def report(job: Job[Note]) -> None:
        with psycopg.connect(database_url) as other:
            other.execute("SELECT * FROM job_executions WHERE job_id = %s FOR UPDATE", [job.id])
            job.progress(1)  # waits for that lock

    async def main(job: Job[Note]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(report(job))

    with suppress(BaseExceptionGroup):
        deliver(lambda job: asyncio.run(main(job)), job, seconds=3.4)
    assert deliver(lambda _job: None, next_job)["statusCode"] == 200


@pytest.mark.direct("it plays the standby by a setting of the session, which a pooler would hand to others")
def test_a_connection_to_a_server_that_became_a_standby_is_replaced(accept: Accept) -> None:
    database.connection().execute("SET default_transaction_read_only = on")
    job = accept(Note())
    deliver(lambda _job: None, job)
    assert deliver(lambda _job: None, job)["statusCode"] == 200


def test_a_transaction_whose_process_vanished_without_a_word_lets_go_of_its_locks(
    accept: Accept, connection: Connection
) -> None:
    connection.execute("CREATE TABLE ledger (entry text)")
    connection.execute("INSERT INTO ledger VALUES ('a')")
    job = accept(Note())
    claimed = executions.claim(connection, job.job_id, 1, lease=10, message_id=None)
    assert claimed is not None
    attempt = Job(claimed, Note(), 0.1)
    with attempt.transaction() as open_transaction:
        open_transaction.execute("UPDATE ledger SET entry = 'b'")
    try:  # its sandbox is gone, and no FIN or RST ever reached the server
        with connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '4s'")
            connection.execute("UPDATE ledger SET entry = 'c'")
    finally:
        attempt.end()


# --- whatever a handler does, the attempt's end is recorded and answered ---------------------------------------


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def circular() -> Any:
    ring: dict[str, Any] = {}
    ring["self"] = ring
    return ring


def failing_generator() -> Iterator[int]:
    yield 1
    raise KeyError("late")


RAISED: dict[str, Callable[[], BaseException]] = {
    "lone surrogate": lambda: FileNotFoundError(b"caf\xe9.csv".decode("utf-8", "surrogateescape")),
    "no words": Unspeakable,
    "CancelledError": asyncio.CancelledError,
    "group": lambda: BaseExceptionGroup("tasks", [asyncio.CancelledError()]),
}
RETURNED: dict[str, Callable[[], Any]] = {
    "circular": circular,
    "generator that raises": failing_generator,
    "lone surrogate": lambda: {"name": "caf\udce9"},
    "long number": lambda: {"n": 10**5000},
    "Retry of text": lambda: Retry(after="60"),  # type: ignore[arg-type]
    "Retry of NaN": lambda: Retry(after=float("nan")),
    "Retry of None": lambda: Retry(after=None),  # type: ignore[arg-type]
    "Fail of an exception": lambda: Fail(ValueError("closed")),  # type: ignore[arg-type]
    "Cancel of None": lambda: Cancel(None),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", RAISED)
def test_whatever_is_raised_is_recorded(accept: Accept, read: Read, what: str) -> None:
    job = accept(Note())

    def run(_job: Job[Note]) -> None:
        error = RAISED[what]()
        raise error

    answer = deliver(run, job)
    row = read(job.job_id)
    assert (answer["statusCode"], row.status, len(row.errors)) == (500, "retrying", 1)


@pytest.mark.parametrize("what", RETURNED)
def test_whatever_is_returned_ends_the_attempt(accept: Accept, read: Read, what: str) -> None:
    job = accept(Note())
    answer = deliver(lambda _job: RETURNED[what](), job)
    assert answer["statusCode"] in {200, 489, 500, 503}
    assert read(job.job_id).status != "processing"


def test_a_timeout_inside_a_task_group_is_recorded(accept: Accept, read: Read) -> None:
    job = accept(Note())

    async def busy() -> None:
        threading.Event().wait(20)  # a call that blocks the loop

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(busy())

    answer = deliver(lambda _job: asyncio.run(main()), job, seconds=3.4)
    assert (answer["statusCode"], read(job.job_id).status) == (500, "retrying")
    assert read(job.job_id).errors[0]["type"] == "JobTimeout"


@pytest.mark.parametrize("result", [{"nul": "\x00"}, {"n": float("nan")}])
def test_a_result_that_cannot_be_stored_does_not_run_the_job_again(
    accept: Accept, read: Read, result: Any
) -> None:
    job = accept(Note())
    assert deliver(lambda _job: result, job)["statusCode"] == 489
    assert (read(job.job_id).status, read(job.job_id).attempt) == ("failed", 1)


def test_an_enormous_message_is_cut(accept: Accept, read: Read) -> None:
    job = accept(Note())

    def run(_job: Job[Note]) -> None:
        raise ValueError("x" * 8_000_000)

    answer = deliver(run, job)
    assert len(answer["body"]) < 6 * 1024 * 1024  # Lambda's limit for an answer; above it is a 502
    assert len(json.dumps(read(job.job_id).errors)) < 1_000_000  # QStash's for the failure callback
    assert "raise ValueError" in read(job.job_id).errors[0]["traceback"]


# --- lost acknowledgements -----------------------------------------------------------------------------------


def losing_the_acknowledgement(run: Callable[..., Any]) -> Callable[..., Any]:
    """The statement commits, then the connection breaks before its answer arrives; once."""
    times: list[int] = []

    def lossy(connection: Connection, *args: Any, **kwargs: Any) -> Any:
        value = run(connection, *args, **kwargs)
        if not times:
            times.append(1)
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return value

    return lossy


def test_a_claim_whose_answer_was_lost_still_runs_the_only_attempt(
    accept: Accept, read: Read, environment: pytest.MonkeyPatch, connection: Connection
) -> None:
    job = accept(Note(), attempts=1)
    database.connection()
    environment.setattr(executions, "claim", losing_the_acknowledgement(executions.claim))
    ran: list[Any] = []
    deliver(ran.append, job)
    connection.execute(
        "UPDATE job_executions SET lease_expires_at = now() - interval '1 s' WHERE status = 'processing'"
    )
    deliver(ran.append, job)
    assert (len(ran), read(job.job_id).status) == (1, "completed")


def test_a_retry_whose_record_was_lost_on_the_way_still_waits(
    accept: Accept, environment: pytest.MonkeyPatch
) -> None:
    job = accept(Note())
    write = losing_the_acknowledgement(executions.record_failed_attempt)
    environment.setattr(executions, "record_failed_attempt", write)
    answer = deliver(lambda _job: Retry(after=3600), job)
    assert (answer["statusCode"], answer["headers"].get("Retry-After")) == (503, "3600")


def test_a_failure_whose_record_was_lost_on_the_way_still_backs_off(
    accept: Accept, environment: pytest.MonkeyPatch
) -> None:
    job = accept(Note())
    write = losing_the_acknowledgement(executions.record_failed_attempt)
    environment.setattr(executions, "record_failed_attempt", write)

    def run(_job: Job[Note]) -> None:
        raise ValueError("no luck")

    assert "Retry-After" not in deliver(run, job)["headers"]  # 1 s instead of QStash's growing delay


def refuse_updates(connection: Connection) -> None:
    connection.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN RAISE EXCEPTION 'canceling statement due to lock timeout' USING ERRCODE = '55P03'; END$$"
    )
    connection.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON job_executions FOR EACH ROW EXECUTE FUNCTION refuse()"
    )


def test_a_stamp_that_is_refused_does_not_make_an_accepted_job_look_refused(
    client: QStash, connection: Connection
) -> None:
    refuse_updates(connection)
    assert isinstance(enqueue(Note()), uuid.UUID)


# --- payloads ------------------------------------------------------------------------------------------------


class Strict(Payload, type=JobType.CRM_MATCH):
    model_config = ConfigDict(strict=True)

    day: date
    account: uuid.UUID


class Blob(Payload, type=JobType.CRM_MATCH):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    data: bytes


class Anything(Payload, type=JobType.CRM_MATCH):
    data: Any


def test_what_enqueue_accepts_a_worker_reads(client: QStash, read: Read) -> None:
    job_id = enqueue(Strict(day=date(2030, 1, 2), account=uuid.uuid4()))
    body = client.message.get(read(job_id).qstash_message_id or "").body or ""
    made: Worker[Strict] = job_worker(Strict)(lambda job: str(job.payload.day))
    made(event(body.encode()), Context())
    assert (read(job_id).result, read(job_id).error) == ("2030-01-02", None)


def test_bytes_arrive_as_they_were(client: QStash, read: Read) -> None:
    job_id = enqueue(Blob(data=b"\x01\xffraw"))
    body = client.message.get(read(job_id).qstash_message_id or "").body or ""
    seen: list[bytes] = []
    made: Worker[Blob] = job_worker(Blob)(lambda job: seen.append(job.payload.data))
    made(event(body.encode()), Context())
    assert seen == [b"\x01\xffraw"]


def nested(depth: int) -> Any:
    value: Any = 1
    for _level in range(depth):
        value = [value]
    return value


def test_a_payload_as_deep_as_enqueue_allows_is_delivered(client: QStash, read: Read) -> None:
    deepest = None
    for depth in range(180, 260):
        try:
            deepest = enqueue(Anything(data=nested(depth)))
        except InvalidJob:
            break
    assert deepest is not None
    body = client.message.get(read(deepest).qstash_message_id or "").body or ""
    made: Worker[Anything] = job_worker(Anything)(lambda _job: None)
    assert made(event(body.encode()), Context())["statusCode"] == 200


@pytest.mark.parametrize(
    "data",
    ["\udce9", 10**5000, {"n": 1e308}, r"the text \u0000 itself"],
    ids=["lone surrogate", "long number", "large number", "NUL spelled out"],
)
def test_a_payload_of_any_shape_is_taken_or_refused_as_invalid(client: QStash, data: Any) -> None:
    if data == r"the text \u0000 itself":
        enqueue(Anything(data=data))
        return
    with suppress(InvalidJob):
        enqueue(Anything(data=data))


def test_a_scheduled_payload_that_cannot_be_stored_is_a_dead_letter(connection: Connection) -> None:
    message = b'{"type": "crm-match", "payload": {"text": "a\\u0000b"}}'
    answer = worker(lambda _job: None)(event(message), Context())
    assert answer["statusCode"] == 489


# --- options -------------------------------------------------------------------------------------------------


def test_the_longest_delay_qstash_takes(
    background: Background, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server = QStashServer(port=0, max_delay=604_800)
    background.call(server.start())
    environment.setenv("QSTASH_URL", server.url)
    environment.setenv("QSTASH_TOKEN", server.token)
    try:
        for _each in range(5):  # whole seconds are rounded up, and clocks differ
            enqueue(Note(), delay=timedelta(days=7))
        assert "quota" not in " ".join(str(vars(line)) for line in caplog.records)
    finally:
        background.call(server.stop())


class Forgetful(threading.Thread):
    """Answers the first request of each connection and resets it at the second, as a NAT does after a long pause."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _peer = self.listener.accept()
                threading.Thread(target=self.answer_once, args=[accepted], daemon=True).start()

    def answer_once(self, accepted: socket.socket) -> None:
        body = json.dumps({"messageId": f"msg_{uuid.uuid4().hex}"}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        with accepted:
            request = b""
            while b'"payload"' not in request:
                request += accepted.recv(65536)
            accepted.sendall(head.encode() + body)
            accepted.recv(1)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_publish_on_a_socket_that_died_during_a_freeze_gets_through(
    environment: pytest.MonkeyPatch, read: Read
) -> None:
    server = Forgetful()
    server.start()
    environment.setenv("QSTASH_URL", server.url)
    try:
        assert read(enqueue(Note())).published_at is not None
        assert read(enqueue(Note())).published_at is not None
    finally:
        server.listener.close()


@pytest.mark.parametrize(
    "url",
    ["https://app.example.com/f\u00fcr", "https://app.example.com/a b\r\nX: y", "https://", "https://a/\x00"],
)
def test_a_callback_that_cannot_be_sent_is_refused_at_once(
    client: QStash, read: Read, connection: Connection, url: str
) -> None:
    with pytest.raises(InvalidJob):
        enqueue(Note(), callback=url)
    with pytest.raises(InvalidJob):
        enqueue(Note(), failure_callback=url)
    assert connection.execute("SELECT * FROM job_executions").fetchall() == []


def test_a_callback_is_called_as_given(client: QStash, read: Read) -> None:
    job_id = enqueue(Note(), callback="https://app.example.com/done/")
    message = client.message.get(read(job_id).qstash_message_id or "")
    assert message.callback == "https://app.example.com/done/"


@pytest.mark.parametrize("options", [{"headers": "X-A: b"}, {"delay": float("nan")}, {"delay": float("inf")}])
def test_any_wrong_option_is_an_invalid_job(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidJob):
        enqueue(Note(), **options)


def test_the_outbox_of_a_long_lived_connection_does_not_grow(client: QStash, database_url: str) -> None:
    with psycopg.connect(database_url) as own:
        for _each in range(3):
            enqueue(Note(), connection=own)
            own.commit()
        assert len(outbox.take(own)) <= 1


# --- leaks ---------------------------------------------------------------------------------------------------


def test_a_malformed_database_url_does_not_show_its_password(
    accept: Accept, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job = accept(Note())
    database.discard()
    environment.setenv("DATABASE_URL", "postgres//user:hunter2@db.example.com/app")
    answer = deliver(lambda _job: None, job)
    assert answer["statusCode"] == 503
    assert "hunter2" not in caplog.text


def test_a_result_that_cannot_be_stored_is_not_logged_nor_answered(
    accept: Accept, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    answer = deliver(lambda _job: {"card": "4242", "nul": "\x00"}, accept(Note()))
    assert "4242" not in caplog.text
    assert "4242" not in answer["body"]


# --- healing -------------------------------------------------------------------------------------------------


def test_telling_callers_ends_with_the_sweeps_time(
    reconcile: Any, accept: Accept, environment: pytest.MonkeyPatch, connection: Connection
) -> None:
    for _each in range(30):
        accept(Note(), failure_callback="https://app.example.com/failed")
    connection.execute(
        "UPDATE job_executions SET status = 'failed', error = 'why', completed_at = now(), publish_after = now()"
    )
    real, lost = time.monotonic, [0.0]

    def hang(*_args: Any) -> str:
        lost[0] += 5.0  # the read timeout
        raise PublishFailed("QStash hangs")

    environment.setattr(publishing, "publish_failure", hang)
    environment.setattr(time, "monotonic", lambda: real() + lost[0])
    done = reconcile(60.0)
    assert "depth" in done
    assert lost[0] <= 60.0  # Lambda has ended the process by then, before a gauge was written


def test_a_published_job_whose_message_is_gone_is_published_again(
    reconcile: Any, accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())  # stamped, and QStash holds nothing
    connection.execute("UPDATE job_executions SET deliver_by = now() - interval '1 hour'")
    reconcile()
    assert read(job.job_id).publication == 2


@pytest.mark.parametrize("missing", [{"body": None}, {"status": None}])
def test_a_failure_callback_with_nulls_is_understood(
    record_failure: ModuleType, accept: Accept, read: Read, missing: dict[str, Any]
) -> None:
    job = accept(Note())
    body = {
        "status": 0,
        "body": "",
        "retried": 5,
        "sourceMessageId": "msg_1",
        "sourceBody": base64.b64encode(envelope(job)).decode(),
    }
    answer = record_failure.handler(event(json.dumps(body | missing).encode()), Context())
    assert (answer["statusCode"], read(job.job_id).publication) == (200, 2)


def test_a_last_attempts_timeout_is_a_dead_letter_though_its_caller_cannot_be_told(
    accept: Accept, read: Read, environment: pytest.MonkeyPatch
) -> None:
    job = accept(Note(), attempts=1, failure_callback="https://app.example.com/failed")

    def hang(*_args: Any) -> str:
        threading.Event().wait(20)
        return ""

    environment.setattr(publishing, "publish_failure", hang)
    answer = deliver(lambda _job: threading.Event().wait(20), job, seconds=3.2)
    assert (read(job.job_id).status, answer["statusCode"]) == ("failed", 489)


def test_a_worker_without_a_publishers_settings_still_answers_that_the_job_failed(
    accept: Accept, read: Read, environment: pytest.MonkeyPatch
) -> None:
    job = accept(Note(), failure_callback="https://app.example.com/failed")
    environment.delenv("QSTASH_TOKEN")  # job_worker does not ask for it
    assert deliver(lambda _job: Fail("no"), job)["statusCode"] == 489


# --- time ----------------------------------------------------------------------------------------------------


def test_the_alarm_counts_what_is_left_after_the_signing_keys_were_fetched(
    accept: Accept, environment: pytest.MonkeyPatch
) -> None:
    class Slow(Context):
        spent = 0.0

        def get_remaining_time_in_millis(self) -> int:
            return super().get_remaining_time_in_millis() - int(self.spent * 1000)

    context = Slow(seconds=35.0)

    def fetch(_request: Any) -> None:
        context.spent = 20.0

    environment.setattr(worker_module, "verify", fetch)
    left: list[float] = []
    worker(lambda job: left.append(job.seconds_left))(event(envelope(accept(Note()))), context)
    assert left[0] <= 12.0


def test_an_alarm_gives_back_what_it_found() -> None:
    rung: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _frame: rung.append(number))
    try:
        outer = signal.getsignal(signal.SIGALRM)
        alarm = Alarm(5)
        alarm.start()
        alarm.stop()
        assert signal.getsignal(signal.SIGALRM) is outer
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_job_run_inline_by_a_job_leaves_it_its_timeout(
    accept: Accept, environment: pytest.MonkeyPatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("functions.crm_match.handler")
    module.handler = job_worker(Note)(lambda _job: None)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "functions.crm_match", types.ModuleType("functions.crm_match"))
    monkeypatch.setitem(sys.modules, "functions.crm_match.handler", module)
    environment.setenv("JOB_DELIVERY", "inline")
    armed: list[float] = []

    def run(_job: Job[Note]) -> None:
        enqueue(Note(text="inner"))
        armed.append(signal.getitimer(signal.ITIMER_REAL)[0])

    deliver(run, accept(Note()))
    assert armed[0] > 0


# --- requests ------------------------------------------------------------------------------------------------


def test_a_body_that_is_no_text_is_401() -> None:
    request = event(b"{}", "not.a.jwt")
    request["body"] = "\ud800"
    assert worker(lambda _job: None)(request, Context())["statusCode"] == 401


def test_a_client_of_qstash_is_not_shared_with_a_forked_child(environment: pytest.MonkeyPatch) -> None:
    import os

    settings = DispatcherSettings.load()
    parents = publishing.client.sdk(settings)
    pid = os.getpid()
    environment.setattr(os, "getpid", lambda: pid + 1)
    childs = publishing.client.sdk(settings)
    environment.undo()
    assert childs is not parents


# --- more of the same -------------------------------------------------------------------------------------------


def test_what_a_handler_set_in_its_session_is_not_the_next_jobs(accept: Accept) -> None:
    seen: list[Any] = []

    def run(job: Job[Note]) -> None:
        with job.transaction() as connection:
            seen.append(connection.execute("SHOW timezone").fetchall())
            connection.execute("SET timezone = 'Asia/Tokyo'")

    deliver(run, accept(Note()))
    deliver(run, accept(Note()))
    assert seen[0] == seen[1]


def test_a_400_that_is_not_qstashs_fails_no_job(environment: pytest.MonkeyPatch, read: Read) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def proxy() -> None:
        accepted, _peer = listener.accept()
        page = b"<html>400 The plain HTTP request was sent to HTTPS port</html>"
        with accepted:
            accepted.recv(65536)
            accepted.sendall(
                b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nConnection: close\r\n"
                b"Content-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)
            )

    thread = threading.Thread(target=proxy, daemon=True)
    thread.start()
    environment.setenv("QSTASH_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
    try:
        assert read(enqueue(Note())).status == "pending"
    finally:
        listener.close()
        thread.join(5)


def test_the_failure_callback_asks_for_no_more_retries_than_the_plan_allows(
    background: Background, environment: pytest.MonkeyPatch, read: Read
) -> None:
    server = QStashServer(port=0, max_retries=3)
    background.call(server.start())
    environment.setenv("QSTASH_URL", server.url)
    environment.setenv("QSTASH_TOKEN", server.token)
    environment.setenv("QSTASH_MAX_RETRIES", "3")
    try:
        assert read(enqueue(Note())).published_at is not None
    finally:
        background.call(server.stop())


def test_publishing_after_the_commit_never_raises(
    client: QStash, connection: Connection, database_url: str
) -> None:
    refuse_updates(connection)
    with psycopg.connect(database_url) as own:
        with dispatcher.transaction(own):
            job_id = enqueue(Note(), connection=own)
        assert executions.find(connection, job_id) is not None


def test_a_job_of_a_rolled_back_transaction_is_not_told_as_enqueued(
    client: QStash, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with psycopg.connect(database_url) as own, suppress(ZeroDivisionError), dispatcher.transaction(own):
        enqueue(Note(), connection=own)
        raise ZeroDivisionError
    assert "enqueued" not in caplog.text


def test_a_completion_whose_acknowledgement_was_lost_is_counted(
    accept: Accept, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    job = accept(Note())
    environment.setattr(executions, "complete", losing_the_acknowledgement(executions.complete))
    assert deliver(lambda _job: None, job)["statusCode"] == 200
    assert "completed" in [record.getMessage() for record in caplog.records]


# --- what holds ------------------------------------------------------------------------------------------------


def test_a_key_held_by_an_uncommitted_transaction_is_waited_for(
    client: QStash, database_url: str, connection: Connection
) -> None:
    found: list[uuid.UUID] = []
    with psycopg.connect(database_url) as own:
        first = enqueue(Note(), idempotency_key="k", connection=own)
        thread = threading.Thread(target=lambda: found.append(enqueue(Note(), idempotency_key="k")))
        thread.start()
        while not connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
            assert thread.is_alive()
        own.rollback()
        thread.join()
    assert found != [first]
    assert len(connection.execute("SELECT * FROM job_executions").fetchall()) == 1


def test_an_autocommit_connection_publishes_at_once(
    client: QStash, read: Read, connection: Connection
) -> None:
    assert read(enqueue(Note(), connection=connection)).published_at is not None


def test_a_claim_that_waited_for_a_sweep_sees_what_it_did(
    accept: Accept, connection: Connection, read: Read
) -> None:
    job = accept(Note())
    connection.execute(
        "UPDATE job_executions SET status = 'processing', attempt = 1, started_at = now(), "
        "lease_expires_at = now() - interval '1 s'"
    )
    claimed: list[Any] = []
    other = database.connect()
    with connection.transaction():
        assert len(executions.requeue_expired(connection, 10)) == 1
        thread = threading.Thread(
            target=lambda: claimed.append(executions.claim(other, job.job_id, 1, lease=10, message_id=None))
        )
        thread.start()
        with psycopg.connect(connection.info.dsn, autocommit=True) as watching:
            while not watching.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
                assert thread.is_alive()
    thread.join()
    other.close()
    assert claimed == [None]
    assert (read(job.job_id).status, read(job.job_id).publication) == ("retrying", 2)
