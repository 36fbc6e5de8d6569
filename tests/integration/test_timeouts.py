"""An attempt that runs out of time is recorded as such, wherever it was, and leaves nothing running."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
import pytest

from shared import database
from shared.alarm import Alarm
from shared.database import Connection
from shared.errors import JobTimeout
from shared.worker import Job, job_worker
from tests.integration.conftest import Accept, Read
from tests.integration.delivering import Context, envelope, event
from tests.integration.jobs import Note

pytestmark = pytest.mark.usefixtures("environment")
SOON = 3.4  # Lambda's remaining seconds, of which 3 are kept for recording: the alarm rings after 0.4


def deliver(run: Any, job: Any) -> dict[str, Any]:
    answer: dict[str, Any] = job_worker(Note)(run)(event(envelope(job)), Context(seconds=SOON))
    return answer


def running_statements(connection: Connection) -> int:
    row = connection.execute(
        "SELECT count(*) AS running FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    ).fetchone()
    assert row is not None
    running: int = row["running"]
    return running


def assert_timed_out(answer: dict[str, Any], row: Any, connection: Connection) -> None:
    assert answer["statusCode"] == 500
    assert (row.status, row.errors[0]["type"]) == ("retrying", "JobTimeout")
    assert "timed out after 0.4" in row.error
    assert_nothing_runs(connection)


def assert_nothing_runs(connection: Connection) -> None:
    deadline = time.monotonic() + 5
    while running_statements(connection) and time.monotonic() < deadline:
        pass
    assert running_statements(connection) == 0


def test_inside_a_statement(accept: Accept, read: Read, connection: Connection) -> None:
    job = accept(Note())

    def run(job: Job[Note]) -> None:
        with job.transaction() as open_transaction:
            open_transaction.execute("SELECT pg_sleep(30)")

    assert_timed_out(deliver(run, job), read(job.job_id), connection)


def test_inside_a_handler_that_catches_exceptions(accept: Accept, read: Read, connection: Connection) -> None:
    job = accept(Note())

    def run(_job: Job[Note]) -> None:
        while True:
            try:
                threading.Event().wait(30)
            except Exception:
                continue

    assert_timed_out(deliver(run, job), read(job.job_id), connection)


def test_inside_a_handler_that_swallows_even_the_timeout(
    accept: Accept, read: Read, connection: Connection
) -> None:
    job = accept(Note())

    def run(_job: Job[Note]) -> str:
        try:
            threading.Event().wait(30)
        except BaseException:
            return "as if nothing had happened"
        return "never"

    assert_timed_out(deliver(run, job), read(job.job_id), connection)


def test_inside_the_commit(accept: Accept, read: Read, connection: Connection) -> None:
    connection.execute("CREATE TABLE ledger (entry text)")
    connection.execute(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NULL; END'"
    )
    connection.execute(
        "CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON ledger "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION dawdle()"
    )
    job = accept(Note())

    def run(job: Job[Note]) -> None:
        with job.transaction() as open_transaction:
            open_transaction.execute("INSERT INTO ledger VALUES ('written')")

    assert_timed_out(deliver(run, job), read(job.job_id), connection)
    assert connection.execute("SELECT * FROM ledger").fetchall() == []


def test_before_the_claim(accept: Accept, read: Read, connection: Connection, database_url: str) -> None:
    job = accept(Note())
    with psycopg.connect(database_url) as other:
        other.execute("SELECT * FROM job_executions FOR UPDATE")
        answer = deliver(lambda _job: None, job)
        assert answer["statusCode"] == 503
    assert (read(job.job_id).status, read(job.job_id).attempt) == ("pending", 0)
    assert_nothing_runs(connection)


def test_the_last_attempt_that_times_out_fails_the_job(accept: Accept, read: Read) -> None:
    job = accept(Note(), attempts=1)
    answer = deliver(lambda _job: threading.Event().wait(30), job)
    assert (answer["statusCode"], read(job.job_id).status) == (489, "failed")


def test_a_timeout_that_cannot_be_recorded_is_a_503(
    accept: Accept, read: Read, environment: pytest.MonkeyPatch
) -> None:
    job = accept(Note())

    def run(_job: Job[Note]) -> None:
        environment.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
        threading.Event().wait(30)

    assert deliver(run, job)["statusCode"] == 503
    assert read(job.job_id).status == "processing"  # its lease will end it


def test_a_stopped_alarm_never_rings() -> None:
    alarm = Alarm(0.05)
    alarm.start()
    alarm.stop()
    threading.Event().wait(0.1)
    assert not alarm.rang


def test_a_timeout_lost_in_a_destructor_comes_again() -> None:
    alarm = Alarm(0.05)
    alarm.start()
    with pytest.raises(JobTimeout):
        threading.Event().wait(5)
    with pytest.raises(JobTimeout):
        threading.Event().wait(5)
    alarm.stop()
    database.discard()
