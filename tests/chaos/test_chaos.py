"""A short slice of the chaos: each scenario, and all of it at once. `make chaos` runs it for longer, in real time."""

# ruff: noqa: T201  # its output is its result
from __future__ import annotations

import random

import pytest

from tests.chaos.run import run
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.stage import Stage

SEED = random.randrange(10**6)


@pytest.mark.parametrize("scenario", [each for each in SCENARIOS if each != "none"])
def test_no_job_is_lost_doubled_or_stuck(stage: Stage, scenario: str) -> None:
    jobs, seconds = (50, 3.0) if scenario == "all" else (25, 1.2)
    report = run(stage, scenario, f"{SEED}-{scenario}", jobs=jobs, seconds=seconds)
    print(f"seed {SEED}\n{report.table()}")
    if report.verdict.violations:
        print("\n".join(stage.lines))
    assert report.verdict.violations == [], f"seed {SEED}"
    assert report.injected or report.hits, "nothing was broken"
    assert report.verdict.completed > 0
