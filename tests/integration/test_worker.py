"""The answer table: what is written and what is answered for each way a delivery can end."""

from __future__ import annotations

import json
import os
import threading
import uuid
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from shared import database
from shared.database import Connection
from shared.errors import MissingSettings
from shared.outcomes import Cancel, Complete, Fail, Retry
from shared.settings import EmailSettings
from shared.worker import Job, Worker, job_worker
from tests.integration.conftest import Accept, Read
from tests.integration.delivering import CURRENT_KEY, NEXT_KEY, Context, claims, envelope, event, sign
from tests.integration.jobs import Note

pytestmark = pytest.mark.usefixtures("environment")


def worker(run: Any) -> Worker[Note]:
    made: Worker[Note] = job_worker(Note)(run)
    return made


def returning(outcome: Any) -> Worker[Note]:
    return worker(lambda _job: outcome)


def raising(error: BaseException) -> Worker[Note]:
    def run(_job: Job[Note]) -> None:
        raise error

    return worker(run)


def status(answer: dict[str, Any]) -> int:
    code: int = answer["statusCode"]
    return code


# --- outcomes ----------------------------------------------------------------------------------------------


def test_a_returned_value_completes_the_job(accept: Accept, read: Read) -> None:
    job = accept(Note(text="hi"), user_id=7, organization_id=9)
    seen: list[Job[Note]] = []

    def run(job: Job[Note]) -> dict[str, str]:
        seen.append(job)
        return {"said": job.payload.text}

    answer = worker(run)(event(envelope(job)), Context())
    row = read(job.job_id)
    assert status(answer) == 200
    assert (row.status, row.result, row.attempt, row.error) == ("completed", {"said": "hi"}, 1, None)
    assert row.completed_at is not None
    assert (seen[0].id, seen[0].user_id, seen[0].organization_id, seen[0].attempt) == (job.job_id, 7, 9, 1)


@pytest.mark.parametrize("outcome", [Complete({"a": 1}), Complete(), None])
def test_complete(accept: Accept, read: Read, outcome: Any) -> None:
    job = accept(Note())
    assert status(returning(outcome)(event(envelope(job)), Context())) == 200
    assert read(job.job_id).status == "completed"


def test_an_exception_is_retried_while_attempts_are_left(accept: Accept, read: Read) -> None:
    job = accept(Note(), attempts=2)
    failing = raising(ValueError("no luck"))
    first = failing(event(envelope(job)), Context())
    assert status(first) == 500
    row = read(job.job_id)
    assert (row.status, row.error, row.attempt, row.retry_count) == ("retrying", "no luck", 1, 0)
    assert row.errors[0]["type"] == "ValueError"
    assert "no luck" in row.errors[0]["traceback"]
    last = failing(event(envelope(job)), Context())
    assert status(last) == 489
    assert last["headers"]["Upstash-NonRetryable-Error"] == "true"
    row = read(job.job_id)
    assert (row.status, row.attempt, len(row.errors)) == ("failed", 2, 2)
    again = failing(event(envelope(job)), Context())
    assert status(again) == 489
    assert read(job.job_id) == row


def test_sys_exit_in_a_handler_is_an_error_like_any_other(accept: Accept, read: Read) -> None:
    job = accept(Note())
    assert status(raising(SystemExit(3))(event(envelope(job)), Context())) == 500
    assert read(job.job_id).errors[0]["type"] == "SystemExit"


def test_fail_is_a_dead_letter_on_the_first_attempt(accept: Accept, read: Read) -> None:
    job = accept(Note(), attempts=9)
    answer = returning(Fail("the account is closed"))(event(envelope(job)), Context())
    assert status(answer) == 489
    assert answer["headers"]["Upstash-NonRetryable-Error"] == "true"
    row = read(job.job_id)
    assert (row.status, row.error, row.attempt) == ("failed", "the account is closed", 1)


def test_cancel_ends_without_error(accept: Accept, read: Read) -> None:
    job = accept(Note())
    assert status(returning(Cancel("nothing to do"))(event(envelope(job)), Context())) == 200
    assert read(job.job_id).status == "cancelled"


def test_retry_says_when(accept: Accept, read: Read) -> None:
    job = accept(Note(), attempts=2)
    busy = returning(Retry(after=42.2, reason="busy"))
    answer = busy(event(envelope(job)), Context())
    assert (status(answer), answer["headers"]["Retry-After"]) == (503, "43")
    assert (read(job.job_id).status, read(job.job_id).error) == ("retrying", "busy")
    assert status(busy(event(envelope(job)), Context())) == 489  # it counts as an attempt
    assert read(job.job_id).status == "failed"


def test_retry_waits_at_most_a_day(accept: Accept) -> None:
    answer = returning(Retry(after=10**9))(event(envelope(accept(Note()))), Context())
    assert answer["headers"]["Retry-After"] == "86400"


@pytest.mark.parametrize("result", [object(), {"nul": "\x00"}])
def test_a_result_that_cannot_be_stored_is_said_so(accept: Accept, read: Read, result: Any) -> None:
    job = accept(Note(), attempts=1)
    assert status(returning(result)(event(envelope(job)), Context())) == 489
    assert read(job.job_id).status == "failed"


# --- payloads ----------------------------------------------------------------------------------------------


def test_a_payload_that_does_not_fit_is_a_dead_letter_that_says_why(
    accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())
    connection.execute("UPDATE job_executions SET payload = '{\"text\": 5}'")
    answer = returning(None)(event(envelope(job)), Context())
    assert status(answer) == 489
    assert read(job.job_id).error == "invalid payload: text: Input should be a valid string"


def test_a_worker_from_before_a_field_still_runs_the_job(accept: Accept, connection: Connection) -> None:
    job = accept(Note())
    connection.execute('UPDATE job_executions SET payload = \'{"text": "hi", "colour": "red"}\'')
    assert status(returning(None)(event(envelope(job)), Context())) == 200


def test_the_rows_payload_runs_and_not_the_messages(accept: Accept, read: Read) -> None:
    job = accept(Note(text="row"))
    said = worker(lambda job: job.payload.text)
    said(event(envelope(job, payload={"text": "message"})), Context())
    assert read(job.job_id).result == "row"


def test_a_job_of_another_type_is_a_dead_letter(accept: Accept, read: Read, connection: Connection) -> None:
    job = accept(Note())
    connection.execute("UPDATE job_executions SET job_type = 'export-data'")
    assert status(returning(None)(event(envelope(job)), Context())) == 489
    assert "this worker runs crm-match" in (read(job.job_id).error or "")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"not json", b'{"type": "crm-match", "payload": 5}'])
def test_a_body_that_is_no_envelope_is_a_dead_letter(body: bytes) -> None:
    assert status(returning(None)(event(body), Context())) == 489


def test_a_job_nobody_accepted_does_not_run(accept: Accept) -> None:
    ran: list[Any] = []
    job = accept(Note())
    message = envelope(job, jobId=str(uuid.uuid4()))
    assert status(worker(ran.append)(event(message), Context())) == 489
    assert ran == []


# --- who may run it ----------------------------------------------------------------------------------------


def test_a_completed_job_redelivered_answers_200_and_runs_nothing(accept: Accept) -> None:
    job = accept(Note())
    ran: list[Any] = []
    assert status(worker(ran.append)(event(envelope(job)), Context())) == 200
    answer = worker(ran.append)(event(envelope(job)), Context())
    assert (status(answer), json.loads(answer["body"])["duplicate"], len(ran)) == (200, True, 1)


def test_two_concurrent_deliveries_run_the_handler_once(accept: Accept, read: Read) -> None:
    job = accept(Note())
    started, release = threading.Event(), threading.Event()
    ran: list[uuid.UUID] = []

    def run(job: Job[Note]) -> None:
        ran.append(job.id)
        started.set()
        assert release.wait(20)

    answers: list[dict[str, Any]] = []
    shared_worker, message = worker(run), envelope(job)
    first = threading.Thread(target=lambda: answers.append(shared_worker(event(message), Context())))
    first.start()
    assert started.wait(20)
    second = shared_worker(event(message), Context())
    assert status(second) == 503
    assert 60 < int(second["headers"]["Retry-After"]) <= 71  # the rest of the lease and a second
    release.set()
    first.join()
    assert [status(each) for each in answers] == [200]
    assert ran == [job.job_id]
    assert read(job.job_id).attempt == 1


def test_an_expired_lease_is_taken_over_and_the_stale_attempt_cannot_complete(
    accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())
    stale_may_go_on, stale_started = threading.Event(), threading.Event()

    def slow(_job: Job[Note]) -> str:
        stale_started.set()
        assert stale_may_go_on.wait(20)
        return "stale"

    answers: list[dict[str, Any]] = []
    thread = threading.Thread(target=lambda: answers.append(worker(slow)(event(envelope(job)), Context())))
    thread.start()
    assert stale_started.wait(20)
    connection.execute("UPDATE job_executions SET lease_expires_at = now() - interval '1 second'")
    assert status(returning("fresh")(event(envelope(job)), Context())) == 200
    stale_may_go_on.set()
    thread.join()
    row = read(job.job_id)
    assert (row.status, row.result, row.attempt) == ("completed", "fresh", 2)
    assert row.errors[0]["type"] == "AttemptLost"
    assert [status(each) for each in answers] == [200]  # by the row's status: nothing is left to deliver


def test_a_stale_attempt_does_not_touch_the_attempt_that_runs(
    accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())

    def superseded(_job: Job[Note]) -> str:
        connection.execute("UPDATE job_executions SET attempt = attempt + 1")
        return "stale"

    assert status(worker(superseded)(event(envelope(job)), Context())) == 503
    assert (read(job.job_id).status, read(job.job_id).result) == ("processing", None)


def test_a_cancelled_job_is_fenced_from_its_running_attempt(
    accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())
    seen: list[bool] = []

    def run(job: Job[Note]) -> str:
        seen.append(job.cancelled)
        connection.execute(
            "UPDATE job_executions SET status = 'cancelled', completed_at = now(), lease_expires_at = NULL"
        )
        seen.append(job.cancelled)
        return "too late"

    assert status(worker(run)(event(envelope(job)), Context())) == 200
    assert seen == [False, True]
    assert (read(job.job_id).status, read(job.job_id).result) == ("cancelled", None)


def test_an_older_publication_is_done_with(accept: Accept, connection: Connection) -> None:
    job = accept(Note())
    connection.execute("UPDATE job_executions SET publication = 2")
    ran: list[Any] = []
    answer = worker(ran.append)(event(envelope(job)), Context())
    assert (status(answer), ran) == (200, [])


def test_attempts_used_up_at_the_claim_end_the_job(
    accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note(), attempts=1)
    ran: list[Any] = []
    connection.execute(
        "UPDATE job_executions SET attempt = 1, status = 'processing', started_at = now(), "
        "lease_expires_at = now() - interval '1 s'"
    )
    assert status(worker(ran.append)(event(envelope(job)), Context())) == 489
    assert (read(job.job_id).status, ran) == ("failed", [])


def test_a_scheduled_delivery_makes_its_row_once(connection: Connection) -> None:
    message = json.dumps({"type": "crm-match", "payload": {"text": "daily"}}).encode()
    headers = {"upstash-message-id": "msg_schedule_1", "upstash-schedule-id": "daily"}
    said = worker(lambda job: job.payload.text)
    assert status(said(event(message, headers=headers), Context())) == 200
    assert "duplicate" in said(event(message, headers=headers), Context())["body"]
    rows = connection.execute(
        "SELECT status, publication, schedule_id, result, attempt FROM job_executions"
    ).fetchall()
    assert rows == [
        {"status": "completed", "publication": 0, "schedule_id": "daily", "result": "daily", "attempt": 1}
    ]


# --- the transaction ---------------------------------------------------------------------------------------


@pytest.fixture
def ledger(connection: Connection) -> Connection:
    connection.execute("CREATE TABLE ledger (entry text)")
    return connection


def entries(ledger: Connection) -> list[str]:
    return [row["entry"] for row in ledger.execute("SELECT entry FROM ledger ORDER BY entry")]


def writing(then: Any) -> Worker[Note]:
    def run(job: Job[Note]) -> Any:
        with job.transaction() as open_transaction:
            open_transaction.execute("INSERT INTO ledger VALUES ('written')")
        if isinstance(then, BaseException):
            raise then
        return then

    return worker(run)


@pytest.mark.parametrize(
    ("then", "written"),
    [("ok", ["written"]), (ValueError(), []), (Fail("no"), []), (Retry(after=1), []), (Cancel("no"), [])],
)
def test_a_write_is_there_exactly_when_the_job_is_completed(
    accept: Accept, ledger: Connection, then: Any, written: list[str]
) -> None:
    writing(then)(event(envelope(accept(Note()))), Context())
    assert entries(ledger) == written


def test_a_write_of_a_stale_attempt_is_not_there(accept: Accept, ledger: Connection) -> None:
    job = accept(Note())

    def run(job: Job[Note]) -> None:
        with job.transaction() as open_transaction:
            open_transaction.execute("INSERT INTO ledger VALUES ('stale')")
        ledger.execute("UPDATE job_executions SET attempt = attempt + 1")

    assert status(worker(run)(event(envelope(job)), Context())) == 503
    assert entries(ledger) == []


def test_an_exception_undoes_its_block_and_no_other(accept: Accept, ledger: Connection) -> None:
    def run(job: Job[Note]) -> None:
        with job.transaction() as open_transaction:
            open_transaction.execute("INSERT INTO ledger VALUES ('kept')")
        with suppress(psycopg.errors.DivisionByZero), job.transaction() as open_transaction:
            open_transaction.execute("INSERT INTO ledger VALUES ('undone')")
            open_transaction.execute("SELECT 1 / 0")

    assert status(worker(run)(event(envelope(accept(Note()))), Context())) == 200
    assert entries(ledger) == ["kept"]


def test_a_handler_cannot_commit_by_itself(accept: Accept, read: Read, ledger: Connection) -> None:
    job = accept(Note())

    def run(job: Job[Note]) -> None:
        with job.transaction() as open_transaction:
            open_transaction.execute("INSERT INTO ledger VALUES ('early')")
        open_transaction.commit()

    assert status(worker(run)(event(envelope(job)), Context())) == 489
    assert "leave that to the worker" in (read(job.job_id).error or "")


def test_progress_is_seen_while_the_transaction_is_open(
    accept: Accept, read: Read, ledger: Connection
) -> None:
    job = accept(Note())
    seen: list[Any] = []

    def run(job: Job[Note]) -> None:
        with job.transaction() as open_transaction:
            open_transaction.execute("INSERT INTO ledger VALUES ('written')")
            job.progress(1, 2, "half")
            seen.append(read(job.id).progress)
            seen.append(entries(ledger))

    assert status(worker(run)(event(envelope(job)), Context())) == 200
    assert seen == [{"done": 1, "total": 2, "message": "half"}, []]


# --- Postgres ----------------------------------------------------------------------------------------------


def test_postgres_down_is_a_503_without_retry_after(accept: Accept, environment: pytest.MonkeyPatch) -> None:
    message = envelope(accept(Note()))
    database.discard()
    environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    ran: list[Any] = []
    answer = worker(ran.append)(event(message), Context())
    assert status(answer) == 503
    assert "Retry-After" not in answer["headers"]
    assert ran == []


def test_a_connection_that_died_between_jobs_costs_nothing(
    accept: Accept, read: Read, connection: Connection
) -> None:
    assert status(returning(None)(event(envelope(accept(Note()))), Context())) == 200
    kill_other_connections(connection)
    job = accept(Note())
    assert status(returning(None)(event(envelope(job)), Context())) == 200
    assert read(job.job_id).attempt == 1


def test_a_connection_that_died_under_the_handler_still_completes(
    accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())
    answer = worker(lambda _job: kill_other_connections(connection))(event(envelope(job)), Context())
    assert (status(answer), read(job.job_id).status) == (200, "completed")


def test_a_transaction_whose_connection_died_is_retried(
    accept: Accept, read: Read, ledger: Connection
) -> None:
    job = accept(Note())

    def run(job: Job[Note]) -> None:
        with job.transaction() as open_transaction:
            open_transaction.execute("INSERT INTO ledger VALUES ('lost')")
        if job.attempt == 1:
            kill_other_connections(ledger)

    assert status(worker(run)(event(envelope(job)), Context())) == 500
    assert (read(job.job_id).status, entries(ledger)) == ("retrying", [])
    assert status(worker(run)(event(envelope(job)), Context())) == 200
    assert entries(ledger) == ["lost"]


def kill_other_connections(connection: Connection) -> None:
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


# --- signatures --------------------------------------------------------------------------------------------

BODY = b'{"type": "crm-match", "payload": {}}'
BAD_SIGNATURES = {
    "none": "",
    "garbage": "not.a.jwt",
    "no dots": "garbage",
    "wrong key": sign(BODY, "sig_somebody_elses_0123456789abc"),
    "other url": sign(BODY, sub="https://other.lambda-url.eu-central-1.on.aws/"),
    "other body": sign(b"{}"),
    "expired": sign(BODY, exp=1_700_000_000),
    "not yet valid": sign(BODY, nbf=4_000_000_000, exp=4_000_000_300),
    "no issuer": sign(BODY, iss=None),
    "no subject": sign(BODY, sub=None),
    "no expiry": sign(BODY, exp=None),
    "no body hash": sign(BODY, body=None),
    "hs512": "see below",
    "alg none": "see below",
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("case", BAD_SIGNATURES)
@pytest.mark.parametrize("encoded", [False, True], ids=["text", "base64"])
def test_a_bad_signature_is_401_and_touches_no_database(
    environment: pytest.MonkeyPatch, case: str, encoded: bool
) -> None:
    import jwt

    token = BAD_SIGNATURES[case]
    if case == "hs512":
        token = jwt.encode(claims(BODY), CURRENT_KEY, algorithm="HS512")
    if case == "alg none":
        token = jwt.encode(claims(BODY), "", algorithm="none")
    database.discard()
    environment.setenv("DATABASE_URL", "postgresql://a-connection-would-fail.invalid/")
    environment.setattr(database, "_connect", lambda: pytest.fail("the database was touched"))
    ran: list[Any] = []
    answer = worker(ran.append)(event(BODY, token, encoded=encoded), Context())
    assert (status(answer), json.loads(answer["body"]), ran) == (401, {"error": "unauthorized"}, [])


@pytest.mark.parametrize("encoded", [False, True], ids=["text", "base64"])
def test_both_keys_are_accepted(accept: Accept, encoded: bool) -> None:
    for key in (CURRENT_KEY, NEXT_KEY):
        message = envelope(accept(Note()))
        assert status(returning(None)(event(message, sign(message, key), encoded=encoded), Context())) == 200


def test_behind_a_cdn_the_signed_url_is_the_endpoints(
    accept: Accept, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("ENDPOINT_URL", "https://jobs.example.com/crm")
    message = envelope(accept(Note()))
    assert status(returning(None)(event(message, sign(message)), Context())) == 401
    token = sign(message, sub="https://jobs.example.com/crm")
    assert status(returning(None)(event(message, token), Context())) == 200


# --- settings ----------------------------------------------------------------------------------------------


def test_a_cold_start_names_every_missing_variable_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("DATABASE_", "QSTASH_", "MAIL_", "APP_", "RESEND_")):
            monkeypatch.delenv(name)
    with pytest.raises(MissingSettings) as caught:
        job_worker(Note, needs=[EmailSettings])
    for name in ("DATABASE_URL", "QSTASH_CURRENT_SIGNING_KEY", "MAIL_FROM", "APP_URL", "RESEND_API_KEY"):
        assert name in str(caught.value)
    assert "\n" not in str(caught.value)
