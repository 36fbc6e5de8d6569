"""A short slice of the chaos: each scenario, and all of it at once. `make chaos` runs it for longer."""

# ruff: noqa: T201  # its output is its result
from __future__ import annotations

import logging
import random
from collections.abc import Iterator

import pytest

from tests.chaos.faults import SCENARIOS
from tests.chaos.run import run
from tests.chaos.stage import Stage

SEED = random.randrange(10**6)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One local cloud for all scenarios."""
    logging.getLogger("posthaste").setLevel(logging.CRITICAL)
    with Stage(tmp_path_factory.mktemp("chaos")) as running:
        yield running


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_job_is_lost_doubled_or_stuck(stage: Stage, scenario: str) -> None:
    jobs, seconds = (60, 4.0) if scenario == "all" else (30, 1.5)
    report = run(stage, scenario, f"{SEED}-{scenario}", jobs=jobs, seconds=seconds)
    print(f"seed {SEED}\n{report.table()}")
    if report.verdict.violations:
        print("\n".join(stage.lines))
    assert report.verdict.violations == [], f"seed {SEED}"
    assert report.injected, "nothing was broken"
    assert report.verdict.completed > 0
