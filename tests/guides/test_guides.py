"""Every guide with Python in it does what it says, on the local cloud."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

from infra.local.cloud import LocalCloud
from infra.template import ROOT
from tests.guides import running

PAGES = ["quickstart.md", "setup.md", "usage.md", "email-jobs.md", "webhook-jobs.md", "moving-to-jobs.md"]
JOBS = sorted((ROOT / "docs" / "jobs").glob("*.md"))
WITH_SQL = [page for page in sorted((ROOT / "docs").rglob("*.md")) if running.statements(page)]


@pytest.mark.parametrize("page", PAGES)
def test_the_guide_can_be_followed(page: str, reader: LocalCloud) -> None:
    assert running.run(ROOT / "docs" / page) > 0


@pytest.mark.parametrize("page", JOBS, ids=lambda page: page.stem)
def test_the_examples_of_a_job_are_accepted(
    page: Path, reader: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are delivered to nobody: what the jobs do is tested elsewhere."""
    monkeypatch.setenv("JOB_ENDPOINTS", json.dumps(dict.fromkeys(reader.endpoints, "http://127.0.0.1:9/")))
    running.run(page)


@pytest.mark.parametrize("page", WITH_SQL, ids=lambda page: page.stem)
def test_each_statement_is_one_that_postgres_takes(page: Path, cloud: LocalCloud) -> None:
    with psycopg.connect(cloud.database_url) as connection:
        for statement in running.statements(page):
            connection.execute(statement.encode())
            connection.rollback()


def test_a_page_that_says_something_else_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Text.\n\n```pycon\n>>> 1 + 1\n3\n```\n")
    with pytest.raises(AssertionError, match=r"page.md:4: 1 \+ 1\ntold: 3\n\nsaid: 2"):
        running.run(page)


def test_ids_and_what_is_left_out_may_differ() -> None:
    one, other = "01a203c5-58b9-7ce6-96bc-6656402ed519", "02b203c5-58b9-7ce6-96bc-6656402ed519"
    assert running.is_as_told(f"UUID('{one}')\n", f"UUID('{other}')\n")
    assert running.is_as_told("a (b) c", "a (…) c")
    assert not running.is_as_told("a (b) d", "a (…) c")
