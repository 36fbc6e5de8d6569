"""What a user of the kit has: a migrated database, `DATABASE_URL`, and the fixtures."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from shared import database
from shared.testing.plugin import inline_jobs, jobs, jobs_connection
from tests.conftest import UrlOf

Connection = psycopg.Connection[tuple[Any, ...]]

__all__ = ["inline_jobs", "jobs", "jobs_connection"]


@pytest.fixture(scope="package")
def kit_url(server_url: str, template: str, url_of: UrlOf) -> Iterator[str]:
    """A migrated database that these tests share."""
    name = f"test_kit_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        with psycopg.connect(url_of(name), autocommit=True, prepare_threshold=None) as made:
            made.execute("CREATE TABLE visits (who text)")
        yield url_of(name)
        database.discard()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(autouse=True)
def database_url(kit_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a user sets, and nothing else."""
    monkeypatch.setenv("DATABASE_URL", kit_url)
    for name in ("QSTASH_TOKEN", "QSTASH_URL", "JOB_ENDPOINTS", "PAYLOAD_KEYS", "DATABASE_SECRET_ARN"):
        monkeypatch.delenv(name, raising=False)
    return kit_url


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Instead of the suite's: the kit itself must see to that."""


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """The application's own."""
    with psycopg.connect(database_url, autocommit=True, prepare_threshold=None) as opened:
        yield opened
