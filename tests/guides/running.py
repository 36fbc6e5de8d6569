"""Runs a guide as its reader would: every block of Python and every session, from top to bottom, in one namespace.

A comment before a block says what is special about it: `<!-- in a moment -->`, it shows what the jobs before it come to,
so it is tried again until it does; `<!-- then: code -->`, a call of what the block defines; `<!-- not run: why -->`.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_BLOCK = re.compile(
    r"^(?:<!-- (?P<note>[^\n]+) -->\n)?```(?P<language>python|pycon)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_SQL = re.compile(r"^ *```sql\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_PATIENCE = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a page; `line` is where it begins."""

    language: str
    code: str
    note: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """The blocks of a page that are to be run."""
    for match in _BLOCK.finditer(text):
        block = Block(
            match["language"],
            match["code"],
            match["note"] or "",
            text.count("\n", 0, match.start("code")) + 1,
        )
        assert block.note in {"", "in a moment"} or block.note.startswith(("then: ", "not run: ")), block.note
        if not block.note.startswith("not run: "):
            yield block


def statements(page: Path) -> list[str]:
    """The page's SQL. What stands for an id is one, which no job has."""
    found = _SQL.findall(page.read_text("utf-8"))
    return [textwrap.dedent(each).replace("'…'", "'00000000-0000-0000-0000-000000000000'") for each in found]


def run(page: Path) -> int:
    """Run a page; how many blocks it had. Raises AssertionError, naming the line, where it is not as the page says."""
    namespace: dict[str, Any] = {"__name__": "guide"}
    found = list(blocks(page.read_text("utf-8")))
    for block in found:
        where = f"{page.name}:{block.line}"
        if block.language == "python":
            exec(compile(block.code, where, "exec"), namespace)
            exec(compile(block.note.partition("then: ")[2], where, "exec"), namespace)
        elif block.note == "in a moment":
            _run_until_so(block, where, namespace)
        else:
            _run_session(block, where, namespace)
    return len(found)


def _run_until_so(block: Block, where: str, namespace: dict[str, Any]) -> None:
    ends_at = time.monotonic() + _PATIENCE
    while True:
        try:
            return _run_session(block, where, namespace)
        except AssertionError:
            if time.monotonic() > ends_at:
                raise
            time.sleep(0.05)


def _run_session(block: Block, where: str, namespace: dict[str, Any]) -> None:
    for example in doctest.DocTestParser().get_examples(block.code):
        said = _output(example.source, where, namespace)
        if not is_as_told(said, example.want):
            raise AssertionError(f"{where}: {example.source.strip()}\ntold: {example.want}\nsaid: {said}")


def _output(source: str, where: str, namespace: dict[str, Any]) -> str:
    """What a prompt prints; of an error its last line, as pages show it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(source, where, "single"), namespace)
        except Exception as error:
            name = f"{type(error).__module__}.{type(error).__qualname__}"
            printed.write(f"{name.removeprefix('builtins.')}: {error}\n")
    return printed.getvalue()


def is_as_told(said: str, told: str) -> bool:
    """Whether the output is the page's: ids are one run's, and `…` leaves something out."""
    pattern = re.escape(_ID.sub("ID", told).strip()).replace("…", ".*")
    return re.fullmatch(pattern, _ID.sub("ID", said).strip(), re.DOTALL) is not None
