"""One running receiver for all tests of a process; each test sends events of its own."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.conftest import UrlOf
from tests.integration.webhooks.stage import Stage, staged


@pytest.fixture(scope="session")
def stage(server_url: str, template: str, url_of: UrlOf) -> Iterator[Stage]:
    name = f"{template}_webhooks"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
    with staged(url_of(name)) as running:
        yield running


@pytest.fixture(autouse=True)
def lines_of_this_test(stage: Stage) -> Iterator[None]:
    """A failing test shows what the functions logged meanwhile."""
    before = len(stage.lines)
    yield
    print("\n".join(stage.lines[before:]))  # noqa: T201  # pytest shows it where the test failed
