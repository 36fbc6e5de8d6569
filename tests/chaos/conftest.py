"""One local cloud for all of a module's chaos."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.chaos.stage import Stage


@pytest.fixture(scope="package")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The cloud that is broken; what its producers complain of is not shown."""
    logger = logging.getLogger("posthaste")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    with Stage(tmp_path_factory.mktemp("chaos")) as running:
        yield running
    logger.setLevel(level)
