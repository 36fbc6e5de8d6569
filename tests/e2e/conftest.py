"""The whole local cloud, once for all tests here; each test has jobs of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from infra.local.awslambda import Function
from infra.local.cloud import LocalCloud
from shared import database, executions
from shared.database import Connection
from shared.rows import Execution

GATED = Function("crm-match", "tests.e2e.handlers.gated.handler", timeout=65)


@pytest.fixture(scope="session")
def cloud_lines() -> list[str]:
    """What the functions and QStash have logged."""
    return []


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory, cloud_lines: list[str]) -> Iterator[LocalCloud]:
    """Started once; QStash's waits are a hundredth of the real ones."""
    folder = tmp_path_factory.mktemp("cloud")
    with LocalCloud(
        folder, fresh=True, backoff_scale=0.01, reconcile_seconds=3600, log=cloud_lines.append
    ) as running:
        variables = {
            **running.environment,
            "GATE": str(folder),
            "JOB_ENDPOINTS": json.dumps(running.endpoints),
        }
        running.functions.update(replace(GATED, environment=variables))
        with psycopg.connect(running.database_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE ledger (job_id uuid, attempt int)")
        endpoints = {**running.endpoints, "crm-match": running.functions.url("crm-match") + "/"}
        running.aws.put_parameter(f"/{running.stack}/job-endpoints", json.dumps(endpoints))
        yield running


@pytest.fixture
def gate(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], None]:
    """Lets the gated worker go on with the job of this text."""
    folder = Path(next(iter(cloud.functions._functions["crm-match"].environment[name] for name in ["GATE"])))
    return lambda text: (folder / text).touch()


@pytest.fixture
def producer(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """This process may enqueue."""
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    endpoints = {**cloud.endpoints, "crm-match": cloud.functions.url("crm-match") + "/"}
    monkeypatch.setenv("JOB_ENDPOINTS", json.dumps(endpoints))
    yield monkeypatch
    database.discard()


@pytest.fixture
def connection(cloud: LocalCloud, producer: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A look at the stack's database."""
    with psycopg.connect(cloud.database_url, autocommit=True, row_factory=dict_row) as opened:
        yield opened


def wait_for(what: str, condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Return as soon as the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.01)


def wait_until_ended(job_id: UUID, seconds: float = 30.0) -> Execution:
    """The job, once it has a terminal status."""

    def read() -> Execution | None:
        return database.run(lambda connection: executions.find(connection, job_id))

    def ended() -> bool:
        job = read()
        return job is not None and job.completed_at is not None

    wait_for(f"the end of job {job_id}", ended, seconds)
    job = read()
    assert job is not None
    return job


@pytest.fixture(autouse=True)
def lines_of_this_test(cloud: LocalCloud, cloud_lines: list[str]) -> Iterator[None]:
    """A failing test shows what the functions and QStash logged meanwhile."""
    before = len(cloud_lines)
    yield
    print("\n".join(cloud_lines[before:]))  # noqa: T201  # pytest shows it where the test failed
