"""record_failure and reconcile: what becomes of jobs that nobody finished."""

from __future__ import annotations

import base64
import http.server
import importlib
import json
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from uuid import UUID

import httpx
import pytest

from infra.local.background import Background
from infra.local.qstash import QStashServer
from shared import database, executions, publishing
from shared.database import Connection
from shared.dispatcher import cancel, enqueue
from shared.errors import DatabaseUnavailable
from shared.rows import UnpublishedJob
from shared.settings import DispatcherSettings
from shared.worker import job_worker
from tests.integration.conftest import Accept, Read
from tests.integration.delivering import Context, envelope, event
from tests.integration.jobs import Note


@pytest.fixture
def record_failure(environment: pytest.MonkeyPatch) -> ModuleType:
    return importlib.import_module("functions.record_failure.handler")


@pytest.fixture
def reconcile(qstash: QStashServer) -> Iterator[Any]:
    module = importlib.import_module("functions.reconcile.handler")
    yield lambda seconds=60.0: module.handler({}, Context(seconds))
    database.discard()


def callback(job: UnpublishedJob, *, status: int = 502, **changes: Any) -> bytes:
    body = {
        "status": status,
        "header": {},
        "body": base64.b64encode(b"Internal Server Error").decode(),
        "retried": 5,
        "maxRetries": 5,
        "dlqId": "1725323658779-0",
        "sourceMessageId": "msg_1",
        "url": "https://x.example.com",
        "method": "POST",
        "sourceBody": base64.b64encode(envelope(job)).decode(),
        "createdAt": 1725323658779,
    }
    return json.dumps(body | changes).encode()


def settle(record_failure: ModuleType, job: UnpublishedJob, **changes: Any) -> dict[str, Any]:
    answer = record_failure.handler(event(callback(job, **changes)), Context())
    assert answer["statusCode"] == 200
    body: dict[str, Any] = json.loads(answer["body"])
    return body


def column(connection: Connection, job_id: UUID, name: str) -> Any:
    query = f"SELECT {name} AS value FROM job_executions WHERE job_id = %s"
    row = connection.execute(query.encode(), [job_id]).fetchone()
    assert row is not None
    return row["value"]


# --- record_failure ----------------------------------------------------------------------------------------


def test_deliveries_that_never_got_through_give_the_job_back_later_each_time(
    record_failure: ModuleType, accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())
    for publication, minutes in ((1, 1), (2, 5), (3, 30), (4, 120)):
        message = callback_for(job, publication)
        assert record_failure.handler(event(message), Context())["statusCode"] == 200
        row = read(job.job_id)
        assert (row.status, row.publication, row.published_at) == ("pending", publication + 1, None)
        waits = column(connection, job.job_id, "extract(epoch FROM publish_after - now())::float / 60")
        assert minutes - 0.5 < waits <= minutes
        connection.execute("UPDATE job_executions SET published_at = now(), qstash_message_id = 'msg_again'")
    record_failure.handler(event(callback_for(job, 5)), Context())
    row = read(job.job_id)
    assert (row.status, row.publication, row.dlq_id) == ("failed", 5, "1725323658779-0")
    assert row.error == "QStash gave up after 6 deliveries; the last got HTTP 502: Internal Server Error"


def callback_for(job: UnpublishedJob, publication: int) -> bytes:
    return callback(job, sourceBody=base64.b64encode(envelope(job, publication=publication)).decode())


def test_used_up_attempts_fail_the_job(
    record_failure: ModuleType, accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note(), attempts=2)
    connection.execute("UPDATE job_executions SET attempt = 2, status = 'retrying'")
    assert settle(record_failure, job)["settled"]
    assert read(job.job_id).status == "failed"


def test_an_attempt_that_began_starts_the_waits_anew(
    record_failure: ModuleType, accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())
    connection.execute("UPDATE job_executions SET attempt = 1, status = 'retrying', undelivered = 0")
    settle(record_failure, job)
    assert (read(job.job_id).status, read(job.job_id).publication) == ("retrying", 2)
    assert column(connection, job.job_id, "undelivered") == 1


@pytest.mark.parametrize("status", ["processing", "completed", "cancelled", "failed"])
def test_a_processing_or_ended_row_keeps_its_status(
    record_failure: ModuleType, accept: Accept, read: Read, connection: Connection, status: str
) -> None:
    job = accept(Note())
    connection.execute(
        "UPDATE job_executions SET status = %(status)s, attempt = 1, started_at = now(), error = 'why',"
        " lease_expires_at = CASE WHEN %(status)s = 'processing' THEN now() + interval '1 minute' END,"
        " completed_at = CASE WHEN %(status)s <> 'processing' THEN now() END",
        {"status": status},
    )
    assert not settle(record_failure, job)["settled"]
    row = read(job.job_id)
    assert (row.status, row.error, row.publication) == (status, "why", 1)
    assert row.dlq_id == ("1725323658779-0" if status == "failed" else None)


def test_a_callback_of_an_older_publication_is_too_late(
    record_failure: ModuleType, accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())
    connection.execute("UPDATE job_executions SET publication = 2")
    assert not settle(record_failure, job)["settled"]
    assert (read(job.job_id).status, read(job.job_id).publication) == ("pending", 2)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"no json", b'{"sourceMessageId": "m", "sourceBody": "!!"}'])
def test_a_body_that_is_no_failure_is_not_delivered_again(record_failure: ModuleType, body: bytes) -> None:
    assert record_failure.handler(event(body), Context())["statusCode"] == 489


def test_an_unsigned_callback_is_401(record_failure: ModuleType, accept: Accept, read: Read) -> None:
    job = accept(Note())
    assert record_failure.handler(event(callback(job), ""), Context())["statusCode"] == 401
    assert read(job.job_id).publication == 1


def test_postgres_down_is_delivered_again(
    record_failure: ModuleType, accept: Accept, environment: pytest.MonkeyPatch
) -> None:
    message = callback(accept(Note()))
    database.discard()
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    assert record_failure.handler(event(message), Context())["statusCode"] == 503


# --- reconcile ---------------------------------------------------------------------------------------------


def crash(connection: Connection, *, attempts_used: int = 1) -> None:
    """Leave all jobs as a worker that was killed leaves them, with the lease over."""
    connection.execute(
        "UPDATE job_executions SET status = 'processing', attempt = %s, started_at = now() - interval '2 minutes', "
        "lease_expires_at = now() - interval '1 second', undelivered = 0",
        [attempts_used],
    )


def test_an_expired_lease_is_given_back_and_delivered_inside_the_deduplication_window(
    reconcile: Any, accept: Accept, read: Read, connection: Connection, qstash: QStashServer
) -> None:
    job = accept(Note(), published=False)
    connection.execute("UPDATE job_executions SET publish_after = now()")
    assert reconcile()["published"] == 1
    first_message = read(job.job_id).qstash_message_id
    crash(connection)
    done = reconcile()
    assert (done["given_back"], done["published"]) == (1, 1)
    row = read(job.job_id)
    assert (row.status, row.publication) == ("retrying", 2)
    assert row.qstash_message_id not in {None, first_message}  # not swallowed as a duplicate
    assert row.errors[0]["type"] == "AttemptLost"
    new_message = envelope(job, publication=2)
    assert job_worker(Note)(lambda _job: None)(event(new_message), Context())["statusCode"] == 200
    assert read(job.job_id).status == "completed"


def test_an_expired_lease_with_no_attempt_left_fails_the_job(
    reconcile: Any, accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note(), attempts=1, failure_callback="https://app.example.com/failed")
    crash(connection)
    done = reconcile()
    assert (done["given_back"], done["published"], done["told"], done["dead_letters"]) == (1, 0, 1, 1)
    assert read(job.job_id).status == "failed"
    assert read(job.job_id).error == executions.ATTEMPT_LOST


def test_a_live_lease_is_left_alone(
    reconcile: Any, accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())
    crash(connection)
    connection.execute("UPDATE job_executions SET lease_expires_at = now() + interval '1 minute'")
    assert reconcile()["given_back"] == 0
    assert read(job.job_id).status == "processing"


def test_the_outbox_is_emptied_however_long_it_is(
    reconcile: Any, accept: Accept, connection: Connection
) -> None:
    for number in range(230):
        accept(Note(text=str(number)), published=False)
    connection.execute("UPDATE job_executions SET publish_after = now()")
    done = reconcile()
    assert (done["published"], done["unpublished"], done["depth"]) == (230, 0, 230)


def test_a_job_whose_type_was_removed_holds_no_other_up_and_can_be_cancelled(
    reconcile: Any, accept: Accept, read: Read, connection: Connection
) -> None:
    gone, other = (accept(Note(text=text), published=False) for text in ("gone", "other"))
    connection.execute("UPDATE job_executions SET publish_after = now()")
    connection.execute("UPDATE job_executions SET job_type = 'removed' WHERE job_id = %s", [gone.job_id])
    assert reconcile()["published"] == 1
    assert read(other.job_id).published_at is not None
    assert (read(gone.job_id).status, read(gone.job_id).published_at) == ("pending", None)
    cancel(gone.job_id)
    assert read(gone.job_id).status == "cancelled"


def test_qstash_down_leaves_everything_for_the_next_minute(
    reconcile: Any, accept: Accept, read: Read, connection: Connection, qstash: QStashServer
) -> None:
    job = accept(Note(), published=False)
    connection.execute("UPDATE job_executions SET publish_after = now()")
    qstash.faults.refuse_publish(503)
    assert reconcile()["published"] == 0
    assert (read(job.job_id).status, read(job.job_id).published_at) == ("pending", None)
    waits = column(connection, job.job_id, "extract(epoch FROM publish_after - now())::float")
    assert 20 < waits <= 30


def test_two_at_once_publish_each_job_once(accept: Accept, connection: Connection) -> None:
    for _each in range(10):
        accept(Note(), published=False)
    connection.execute("UPDATE job_executions SET publish_after = now()")
    with connection.transaction():
        first = executions.take_unpublished(connection, 6)
        other = database.connect()
        second = executions.take_unpublished(other, 10)
        other.close()
    assert (len(first), len(second)) == (6, 4)
    assert {job.job_id for job in first}.isdisjoint(job.job_id for job in second)


def test_gauges(reconcile: Any, accept: Accept, connection: Connection) -> None:
    accept(Note())
    connection.execute("UPDATE job_executions SET created_at = now() - interval '5 minutes'")
    accept(Note(), delay=3600)
    done = reconcile()
    assert (done["depth"], done["stuck"], done["dead_letters"], done["unpublished"]) == (2, 0, 0, 0)
    assert 299 < done["oldest_pending"] < 310


def test_postgres_down_is_an_error_of_the_function(reconcile: Any, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseUnavailable):
        reconcile()


def test_a_token_of_another_region_says_nothing_about_a_message(
    reconcile: Any, accept: Accept, read: Read, connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    job = accept(Note())
    connection.execute("UPDATE job_executions SET deliver_by = now() - interval '1 hour'")

    def elsewhere(request: httpx.Request) -> httpx.Response:
        error = {"error": "user not found in this region (eu-central-1)"}
        response = httpx.Response(404, json=error, request=request)
        publishing.client._raise_rejected(response)
        return response

    environment.setenv("QSTASH_URL", "http://127.0.0.1:1")
    environment.setenv("QSTASH_TOKEN", "token")
    client = publishing.client.sdk(DispatcherSettings.load())
    client.http._client.close()
    client.http._client = httpx.Client(
        transport=httpx.MockTransport(elsewhere),
        event_hooks={"response": [publishing.client._raise_rejected]},
    )
    assert reconcile()["gone"] == 0
    assert read(job.job_id).publication == 1


def test_an_overdue_job_whose_message_is_held_is_left_alone(
    reconcile: Any, read: Read, connection: Connection
) -> None:
    job_id = enqueue(Note(), delay=3600)
    connection.execute("UPDATE job_executions SET deliver_by = now() - interval '1 hour'")
    assert reconcile()["gone"] == 0
    assert read(job_id).publication == 1


def test_a_job_whose_function_has_moved_is_published_to_the_new_url(
    reconcile: Any, read: Read, connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    job_id = enqueue(Note(), delay=3600)
    assert reconcile()["moved"] == 0
    elsewhere = "https://new.lambda-url.eu-central-1.on.aws/"
    environment.setenv("JOB_ENDPOINTS", json.dumps({"crm-match": elsewhere, "record-failure": elsewhere}))
    done = reconcile()
    assert (done["moved"], done["published"]) == (1, 1)
    assert (read(job_id).publication, column(connection, job_id, "endpoint")) == (2, elsewhere)
    assert reconcile()["moved"] == 0


def test_a_lost_failure_callback_is_made_up_for_from_the_dead_letters(
    reconcile: Any,
    qstash: QStashServer,
    background: Background,
    connection: Connection,
    read: Read,
    environment: pytest.MonkeyPatch,
) -> None:
    qstash.faults.drop_callbacks()
    with Refusing() as url:
        environment.setenv("JOB_ENDPOINTS", json.dumps({"crm-match": url, "record-failure": url}))
        job_id = enqueue(Note())
        background.call(qstash.wait_idle(20))
    assert read(job_id).status == "pending"
    assert reconcile()["dead_letters_settled"] == 1
    row = read(job_id)
    assert (row.status, row.publication, row.published_at) == ("pending", 2, None)
    assert row.errors[0]["message"] == "QStash gave up; the last got HTTP 489"
    assert reconcile()["dead_letters_settled"] == 0
    mark = connection.execute("SELECT mark FROM reconcile_marks").fetchone()
    assert mark is not None
    assert mark["mark"] > 1_700_000_000_000


class Refusing:
    """A destination that refuses every delivery for good."""

    def __enter__(self) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(489)
                self.send_header("Upstash-NonRetryable-Error", "true")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
