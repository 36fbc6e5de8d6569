"""What flow control lets through at once, of all job types together, fits into Lambda's concurrency and Postgres's connections."""

from __future__ import annotations

import re

import pytest

from shared.registry import REGISTRY, JobConfig
from tests.artifact.template import ROOT

PAGE = (ROOT / "docs" / "capacity.md").read_text("utf-8")
CONNECTIONS = 2  # a job's: its transaction's, and another for what must be seen, or published, beside it


def row(name: str) -> list[int]:
    """The numbers of the page's table row of this name."""
    match = re.search(rf"^\| {re.escape(name)} \|(.*)\|$", PAGE, re.MULTILINE)
    assert match is not None, f"docs/capacity.md has no row {name}"
    return [int(number) for number in re.findall(r"\d+", match[1])]


def number(words: str) -> int:
    """The number that the page says in a sentence: `#` stands for it."""
    match = re.search(words.replace("#", r"(\d+)").replace(" ", r"\s+"), PAGE)
    assert match is not None, f"docs/capacity.md does not say {words!r}"
    return int(match[1])


@pytest.mark.parametrize("config", REGISTRY.values(), ids=lambda config: config.type.value)
def test_the_page_says_what_each_type_may(config: JobConfig) -> None:
    name, limits = config.type.value, config.flow_control
    assert limits is not None
    assert limits.parallelism is not None, "without it nothing holds the type back"
    assert row(f"`{name}`") == [limits.parallelism]
    assert (
        "an organization" in re.findall(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)[0]
    ) == limits.per_organization


def test_all_that_runs_at_once_fits_into_lambda_and_postgres() -> None:
    organizations = number("With # organizations")
    limits = [config.flow_control for config in REGISTRY.values() if config.flow_control]
    jobs = sum((each.parallelism or 0) * (organizations if each.per_organization else 1) for each in limits)
    around = number("are counted as #")
    assert number("that is # jobs at once") == jobs
    concurrency, quota = row("Lambda, concurrent executions")
    connections, free, *_why = row("Postgres, connections")
    assert (concurrency, connections) == (jobs + around, CONNECTIONS * jobs + around)
    assert concurrency < quota
    assert connections < free
