"""What a pooler in transaction mode shares out among its clients stays as each of them left it.

That all else holds behind one too is tests/pooler's to show, which runs all tests of this folder there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from shared import database
from shared.database import Connection
from shared.errors import DatabaseUnavailable
from shared.outcomes import Retry
from shared.worker import Job, job_worker
from tests.conftest import behind_pgbouncer
from tests.integration.conftest import Accept, Read
from tests.integration.delivering import Context, envelope, event
from tests.integration.jobs import Note
from tests.pgbouncer import HOW_TO_INSTALL, PgBouncer, find_pgbouncer

needs_pgbouncer = pytest.mark.skipif(find_pgbouncer() is None, reason=HOW_TO_INSTALL)


@pytest.fixture(scope="module")
def narrow(server_url: str) -> Iterator[PgBouncer]:
    """A pooler with one connection to the server, so that all its clients have the same session in turn."""
    with PgBouncer(server_url, pool_size=1) as running:
        yield running


@pytest.fixture
def pooled(narrow: PgBouncer, database_url: str, environment: pytest.MonkeyPatch) -> str:
    """The code finds that pooler."""
    url = narrow.url(str(conninfo_to_dict(database_url)["dbname"]))
    environment.setenv("DATABASE_URL", url)
    return url


@pytest.fixture
def other(pooled: str) -> Iterator[Connection]:
    """Another client of the pooler, which has told it of a time zone."""
    with psycopg.connect(
        pooled, autocommit=True, row_factory=dict_row, prepare_threshold=None, application_name="another"
    ) as opened:
        opened.execute("SET TimeZone = 'Asia/Tokyo'")
        yield opened
    database.discard()


def setting(connection: Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s) AS value", [name]).fetchone()
    assert row is not None
    return str(row["value"])


def server_process(connection: Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid() AS pid").fetchone()
    assert row is not None
    return int(row["pid"])


def deliver(run: Callable[[Job[Note]], Any], job: Any) -> int:
    answer: dict[str, Any] = job_worker(Note)(run)(event(envelope(job)), Context())
    status: int = answer["statusCode"]
    return status


def test_the_code_is_behind_a_pooler_where_this_run_says_so(environment: pytest.MonkeyPatch) -> None:
    connection = database.connection()
    assert (server_process(connection) != connection.info.backend_pid) == behind_pgbouncer()


@needs_pgbouncer
@pytest.mark.parametrize("outcome", [None, Retry(after=1)], ids=["committed", "rolled back"])
def test_what_a_handler_set_is_not_anothers(
    accept: Accept, read: Read, other: Connection, outcome: Retry | None
) -> None:
    job, default = accept(Note()), setting(other, "work_mem")

    def run(job: Job[Note]) -> Retry | None:
        with job.transaction() as connection:
            connection.execute("SET work_mem = '9MB'")
            assert setting(connection, "work_mem") == "9MB"
        return outcome

    assert deliver(run, job) == (503 if outcome else 200)
    assert read(job.job_id).status == ("retrying" if outcome else "completed")
    assert setting(other, "work_mem") == default != "9MB"


@needs_pgbouncer
def test_the_role_that_a_handler_took_is_not_anothers(accept: Accept, other: Connection) -> None:
    def run(job: Job[Note]) -> None:
        with job.transaction() as connection:
            connection.execute("GRANT ALL ON job_executions, job_batches TO pg_monitor")
            connection.execute("SET ROLE pg_monitor")

    assert deliver(run, accept(Note())) == 200
    assert setting(other, "role") == "none"


@needs_pgbouncer
def test_what_another_client_set_outlives_a_handler(accept: Accept, other: Connection) -> None:
    def run(job: Job[Note]) -> None:
        with job.transaction() as connection:
            connection.execute("SET TimeZone = 'Europe/Paris'")

    assert deliver(run, accept(Note())) == 200
    assert (setting(other, "TimeZone"), setting(other, "application_name")) == ("Asia/Tokyo", "another")


@needs_pgbouncer
def test_a_command_that_waits_for_a_free_session_never_runs_once_it_is_closed(
    connection: Connection, other: Connection
) -> None:
    connection.execute("CREATE TABLE late (written text)")
    waiting = database.connect()
    with other.transaction():
        other.execute("SELECT 1")
        waiting.pgconn.send_query(b"INSERT INTO late VALUES ('by nobody')")
        waiting.pgconn.flush()
        database.close(waiting)
    assert (
        setting(other, "application_name") == "another"
    )  # the session is free, and whoever waited has had it
    assert connection.execute("SELECT * FROM late").fetchall() == []


@needs_pgbouncer
@pytest.mark.usefixtures("pooled")
def test_a_copy_that_a_dying_server_broke_off_is_the_connections_failure(connection: Connection) -> None:
    """PgBouncer says so and hangs up, which psycopg takes for two results, and two for a caller's mistake."""

    def read(pooled: Connection) -> None:
        server = server_process(pooled)
        with pooled.cursor().copy(
            "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 100000)) TO STDOUT"
        ) as rows:
            next(iter(rows))
            connection.execute("SELECT pg_terminate_backend(%s, 10000)", [server])
            for _row in rows:
                pass

    with pytest.raises(DatabaseUnavailable, match="Postgres went away"):
        database.attempt(read, database.connection())
    assert database.run(lambda pooled: pooled.execute("SELECT 5 AS five").fetchone()) == {"five": 5}
    database.discard()


@needs_pgbouncer
def test_a_restart_of_the_pooler_costs_no_delivery(
    server_url: str, database_url: str, accept: Accept, environment: pytest.MonkeyPatch
) -> None:
    pgbouncer = PgBouncer(server_url)
    environment.setenv("DATABASE_URL", pgbouncer.url(str(conninfo_to_dict(database_url)["dbname"])))
    for _start in range(2):
        with pgbouncer:
            assert deliver(lambda _job: None, accept(Note())) == 200
    database.discard()
