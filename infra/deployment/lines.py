"""How the operator's commands speak: a line for each thing, its mark in front, and what to do below what is wrong."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

Mark = Literal["ok", "warning", "failed", "skipped"]
_SIGNS: dict[Mark, str] = {"ok": "✓", "warning": "!", "failed": "✗", "skipped": "·"}
_COLOURS: dict[Mark, str] = {"ok": "32", "warning": "33", "failed": "31", "skipped": "2"}
_WIDTH = 12


@dataclass(frozen=True, slots=True)
class Line:
    """What was found of one subject; `remedy` says what to do about it."""

    subject: str
    mark: Mark
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        """The line as it is printed, without colours."""
        way_out = f"\n  {'':<{_WIDTH}} → {self.remedy}" if self.remedy else ""
        return f"{_SIGNS[self.mark]} {self.subject:<{_WIDTH}} {self.detail}{way_out}"


def show(line: Line) -> None:
    """Print it, its mark in colour on a terminal."""
    text = str(line)
    if sys.stdout.isatty():
        text = f"\033[{_COLOURS[line.mark]}m{text[0]}\033[0m{text[1:]}"
    print(text, flush=True)


def refuse(message: str, code: int) -> int:
    """Print why something was not done; the exit code for it."""
    print(f"✗ {message}", file=sys.stderr)
    return code
