"""Every guide with Python in it does what it says, on the local cloud."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local.cloud import LocalCloud
from infra.template import ROOT
from tests.guides import running

PAGES = ["quickstart.md", "setup.md", "usage.md", "email-jobs.md", "webhook-jobs.md", "moving-to-jobs.md"]


@pytest.mark.parametrize("page", PAGES)
def test_the_guide_can_be_followed(page: str, reader: LocalCloud) -> None:
    assert running.run(ROOT / "docs" / page) > 0


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
