"""The reference pages are what the code is, and leave nothing out that is exported."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

from infra.reference import docstrings
from infra.reference.contents import SECTIONS, Section
from infra.reference.pages import PAGES

NAMED = {name for section in SECTIONS for name in section.names}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_page_is_what_the_code_is(page: Path) -> None:
    assert page.read_text("utf-8") == PAGES[page](), "run make reference"


@pytest.mark.parametrize(
    "module", ["shared.dispatcher", "shared.schedules", "shared.worker", "shared.outcomes", "shared.errors"]
)
def test_nothing_public_is_left_out(module: str) -> None:
    found = import_module(module)
    names = getattr(found, "__all__", None) or [
        name
        for name, value in vars(found).items()
        if inspect.isclass(value) and value.__module__ == module and not name.startswith("_")
    ]
    assert set(names) <= NAMED | {"InvalidSignature", "MissingSignature"}  # no caller meets these


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_names_can_be_imported_from_where_the_page_says(section: Section) -> None:
    module = import_module(section.imported_from or section.module)
    assert [name for name in section.names if not hasattr(module, name)] == []


def test_each_entry_says_what_it_is() -> None:
    text = next(page for page in PAGES if page.name == "reference.md").read_text("utf-8")
    bare = re.findall(
        r"^####? (`[^`]+`)\n\n```python\n(?:(?!^```).)*^```\n\n\n", text, re.MULTILINE | re.DOTALL
    )
    assert bare == []


def test_examples_become_code() -> None:
    made = docstrings.markdown(
        "What it does.\n\n    enqueue(1)\n\n    enqueue(2)\n\nMore.\n\n    >>> f()  # doctest: +SKIP\n    3\n"
    )
    assert made == (
        "What it does.\n\n```python\nenqueue(1)\n\nenqueue(2)\n```\n\nMore.\n\n```pycon\n>>> f()\n3\n```"
    )


def test_an_example_that_lost_its_indentation_is_still_code() -> None:
    assert docstrings.markdown('Marks it.\n\nFail("no")') == 'Marks it.\n\n```python\nFail("no")\n```'
    assert docstrings.markdown("One. Two; three.") == "One. Two; three."
