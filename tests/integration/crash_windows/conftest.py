"""A world for each test, with its own database and QStash."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.local.background import Background
from shared.database import Connection
from tests.integration.crash_windows.world import World


@pytest.fixture
def world(connection: Connection, background: Background, environment: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(connection, background)
    background.call(made.qstash.start())
    environment.setenv("QSTASH_URL", made.qstash.url)
    environment.setenv("QSTASH_TOKEN", made.qstash.token)
    yield made
    background.call(made.qstash.stop())
