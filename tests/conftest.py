"""Real Postgres for every test that asks: a database of its own, cloned from a migrated template.

With TEST_BEHIND_PGBOUNCER the code under test reaches it through PgBouncer in transaction mode.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra.local.postgres import EmbeddedPostgres
from infra.migrations import migrate
from shared import database, publishing, secrets
from tests.pgbouncer import PgBouncer

ROOT = Path(__file__).parent.parent

UrlOf = Callable[[str], str]


def pytest_configure(config: pytest.Config) -> None:
    """The marker of tests that PgBouncer would make meaningless."""
    config.addinivalue_line("markers", "direct(why): needs Postgres itself; skipped behind a pooler")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked so, and say why."""
    marker = item.get_closest_marker("direct")
    if marker is not None and behind_pgbouncer():
        pytest.skip(f"not behind a pooler: {marker.args[0]}")


def behind_pgbouncer() -> bool:
    """Whether this run's code under test is to find a pooler and not Postgres."""
    return bool(os.environ.get("TEST_BEHIND_PGBOUNCER"))


@pytest.fixture(scope="session")
def worker_name() -> str:
    """Which of xdist's processes this is; each has a server and a template of its own."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return f"{name}_pooled" if behind_pgbouncer() else name


@pytest.fixture(scope="session")
def server_url(worker_name: str) -> Iterator[str]:
    """The server's maintenance database: TEST_DATABASE_URL's, or an embedded server's."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield given
        return
    server = EmbeddedPostgres(ROOT / ".local" / "tests" / worker_name)
    server.start()
    yield server.url
    server.stop(immediate=True)


@pytest.fixture(scope="session")
def template(server_url: str, worker_name: str) -> str:
    """The name of a database with all migrations applied."""
    name = f"posthaste_template_{worker_name}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {name}".encode())
    migrate(with_database(server_url, name))
    return name


@pytest.fixture(scope="session")
def url_of(server_url: str) -> Iterator[UrlOf]:
    """The connection string that code under test gets for the database of this name."""
    if not behind_pgbouncer():
        yield lambda name: with_database(server_url, name)
        return
    with PgBouncer(server_url) as pgbouncer:
        yield pgbouncer.url


@pytest.fixture
def database_url(server_url: str, template: str, url_of: UrlOf) -> Iterator[str]:
    """A migrated database that only this test has."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        yield url_of(name)
        database.discard()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """What one test read from its environment is not the next one's."""
    yield
    secrets._cache.clear()
    secrets._last.clear()
    publishing.close()


def with_database(url: str, name: str) -> str:
    """The same server, another database."""
    return make_conninfo(url, dbname=name)
