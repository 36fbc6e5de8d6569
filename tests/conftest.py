"""Real Postgres for every test that asks: a database of its own, cloned from a migrated template."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra.local.postgres import EmbeddedPostgres
from infra.migrations import migrate
from shared import database, publishing, secrets

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def worker_name() -> str:
    """Which of xdist's processes this is; each has a server and a template of its own."""
    return os.environ.get("PYTEST_XDIST_WORKER", "main")


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


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """A migrated database that only this test has."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        yield with_database(server_url, name)
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
