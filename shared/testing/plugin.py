"""The fixtures of the test kit: `pytest_plugins = ["shared.testing.plugin"]` in the conftest.py at the root of your tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.testing import environment
from shared.testing.jobs import Jobs
from shared.testing.table import AnyConnection


def pytest_configure() -> None:
    """Before modules are collected: those that enqueue, and the functions, ask for their variables when imported."""
    environment.prepare()


@pytest.fixture
def jobs_connection() -> AnyConnection | None:
    """The connection that `jobs` reads on: none, so its own. Override it to see what your transaction has not committed."""
    return None


@pytest.fixture
def jobs(jobs_connection: AnyConnection | None) -> Iterator[Jobs]:
    """The jobs of this test: see `shared.testing.Jobs`."""
    with Jobs(connection=jobs_connection) as made:
        yield made


@pytest.fixture
def inline_jobs(jobs: Jobs) -> Iterator[Jobs]:
    """The same, and `enqueue` runs each job at once."""
    with jobs.inline():
        yield jobs
