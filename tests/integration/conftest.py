"""A complete environment for workers and producers, on a database of the test's own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from infra.local.background import Background
from infra.local.qstash import QStashServer
from shared import executions
from shared.database import Connection
from shared.envelope import Payload, new_job_id
from shared.registry import get_job_config
from shared.rows import Execution, NewJob, Receipt, UnpublishedJob
from shared.testing import Jobs
from tests.integration import delivering

Accept = Callable[..., UnpublishedJob]
Read = Callable[[uuid.UUID], Execution]


@pytest.fixture
def environment(database_url: str, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Every variable that workers and producers need; QStash is where nobody listens."""
    endpoint = delivering.URL
    variables = {
        "DATABASE_URL": database_url,
        "QSTASH_TOKEN": "token",
        "QSTASH_CURRENT_SIGNING_KEY": delivering.CURRENT_KEY,
        "QSTASH_NEXT_SIGNING_KEY": delivering.NEXT_KEY,
        "QSTASH_URL": "http://127.0.0.1:1",
        "JOB_ENDPOINTS": json.dumps(
            {"crm-match": endpoint, "send-email": endpoint, "record-failure": endpoint}
        ),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in (
        "ENDPOINT_URL",
        "JOB_DELIVERY",
        "DATABASE_SECRET_ARN",
        "QSTASH_SECRET_ARN",
        "PAYLOAD_SECRET_ARN",
    ):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def jobs(environment: pytest.MonkeyPatch) -> Iterator[Jobs]:
    """The test kit, on the test's own database: nothing is published."""
    with Jobs(keep=True) as made:
        yield made


@pytest.fixture
def connection(environment: pytest.MonkeyPatch, database_url: str) -> Iterator[Connection]:
    """The test's own connection, beside the code's."""
    with psycopg.connect(
        database_url,
        autocommit=True,
        row_factory=dict_row,
        prepare_threshold=None,
        application_name="the test",
    ) as opened:
        yield opened


@pytest.fixture
def accept(connection: Connection) -> Accept:
    """Write a job's row as enqueue does, and leave the publishing to the test."""

    def write(
        payload: Payload, *, attempts: int = 3, published: bool = True, **options: Any
    ) -> UnpublishedJob:
        job = NewJob(
            job_id=new_job_id(),
            job_type=payload.job_type.value,
            payload=payload.model_dump(mode="json", by_alias=True),
            max_attempts=attempts,
            publish_options={"retries": 5, "timeout": get_job_config(payload.job_type).timeout + 20},
            **options,
        )
        (accepted,) = executions.insert(connection, [job], 604_800)
        if published:
            executions.stamp_publications(connection, [(accepted, Receipt(f"msg_{job.job_id}"))])
        return accepted

    return write


@pytest.fixture
def read(connection: Connection) -> Read:
    """A job as it stands."""

    def find(job_id: uuid.UUID) -> Execution:
        found = executions.find(connection, job_id)
        assert found is not None
        return found

    return find


@pytest.fixture
def background() -> Iterator[Background]:
    """An event loop beside the test."""
    with Background() as running:
        yield running


@pytest.fixture
def qstash(background: Background, environment: pytest.MonkeyPatch) -> Iterator[QStashServer]:
    """A QStash that producers publish to; its destinations do not exist."""
    server = QStashServer(port=0)
    background.call(server.start())
    environment.setenv("QSTASH_URL", server.url)
    environment.setenv("QSTASH_TOKEN", server.token)
    yield server
    background.call(server.stop())
