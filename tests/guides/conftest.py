"""A local cloud as `make dev` starts it, with what `make seed` puts there, for all guides."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from functions.process_webhook import custom
from infra.local.cloud import LocalCloud
from infra.seed import seed
from shared import database


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
        with psycopg.connect(running.database_url) as connection:
            seed(connection, "small")
        yield running


@pytest.fixture
def reader(
    cloud: LocalCloud, cloud_lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalCloud]:
    """The cloud, for a process with the environment of `make shell`; a failing test shows what was logged meanwhile."""
    before = len(cloud_lines)
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JOB_DELIVERY", "qstash")  # whatever a page sets is undone
    monkeypatch.setattr(custom, "_HANDLERS", dict(custom._HANDLERS))
    yield cloud
    database.discard()
    print("\n".join(cloud_lines[before:]))  # noqa: T201  # pytest shows it where the test failed
