"""A job that a process reserved for publishing, and died, must come out soon enough for the contract's bound."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg.rows import dict_row

from shared import database, executions
from shared.job_request import JobRequest, new_job
from shared.registry import REGISTRY
from shared.rows import UnpublishedJob
from shared.settings import DispatcherSettings
from tests.chaos.endurance import SWEEP_EVERY
from tests.chaos.jobs import Effect

_SWEEP_TAKES = 15.0  # seconds, with a job's way to its function


@pytest.fixture
def connection(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[database.Connection]:
    """As the dispatcher has it."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("QSTASH_TOKEN", "token")
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connected:
        yield connected


def _accepted(connection: database.Connection) -> UnpublishedJob:
    job = new_job(JobRequest(Effect(tag="reserved")), DispatcherSettings.load())
    (accepted,) = executions.insert(connection, [job], 600)
    return accepted


def _seconds_until_due(connection: database.Connection) -> float:
    (row,) = connection.execute("SELECT publish_after FROM job_executions").fetchall()
    waits: float = (row["publish_after"] - datetime.now(UTC)).total_seconds()
    return waits


@pytest.mark.parametrize("reserve", ["take_written", "take_unpublished"])
def test_a_reservation_ends_in_time_for_the_sweep_that_the_contract_counts_on(
    connection: database.Connection, reserve: str
) -> None:
    accepted = _accepted(connection)
    if reserve == "take_written":
        assert executions.take_written(connection, [accepted.job_id], 600)
    else:
        connection.execute("UPDATE job_executions SET publish_after = now()")
        assert executions.take_unpublished(connection, 1)
    others = set(REGISTRY) - {Effect.job_type}  # whose timeout is shortened while there is chaos
    shortest = min(REGISTRY[job_type].timeout for job_type in others)
    assert _seconds_until_due(connection) + SWEEP_EVERY + _SWEEP_TAKES <= shortest + 90
