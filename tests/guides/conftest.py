"""A local cloud as `make dev` starts it, with what `make seed` puts there, for all guides."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from functions.process_webhook import custom
from infra.local.cloud import LocalCloud
from infra.seed import seed
from shared import database

LINES: list[str] = []  # what the functions and QStash have logged


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Started once for all pages; QStash's waits are a hundredth of the real ones."""
    made = LocalCloud(
        tmp_path_factory.mktemp("cloud"),
        fresh=True,
        backoff_scale=0.01,
        reconcile_seconds=3600,
        log=LINES.append,
    )
    with made as running:
        with psycopg.connect(running.database_url) as connection:
            seed(connection, "small")
        yield running


@pytest.fixture
def reader(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCloud]:
    """The cloud, for a process with the environment of `make shell`; a failing test shows what was logged meanwhile."""
    before = len(LINES)
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JOB_DELIVERY", "qstash")  # whatever a page sets is undone
    monkeypatch.setattr(custom, "_HANDLERS", dict(custom._HANDLERS))
    yield cloud
    database.discard()
    print("\n".join(LINES[before:]))  # noqa: T201  # pytest shows it where the test failed
