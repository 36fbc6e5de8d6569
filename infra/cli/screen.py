"""What is printed: answers on stdout, everything else on stderr.

Whatever jobs hold was written by others. It is shown as it is and never obeyed: neither as markup nor by the terminal,
whose control characters, and those that turn the direction of writing, are spelled out.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from infra.cli.columns import Column, laid_out

_ENDLESS = 1_000_000  # columns of what is no terminal
_NAME_WIDTH = 12
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
COLOURS = {
    "completed": "green",
    "failed": "red",
    "cancelled": "magenta",
    "retrying": "yellow",
    "processing": "cyan",
    "pending": "blue",
    "healthy": "green",
    "degraded": "yellow",
    "unhealthy": "red",
}


class _Console(Console):
    """A console whose reader may go: from stdout that ends the command, from stderr it must not, for jobs are acted on."""

    def on_broken_pipe(self) -> None:
        if not self.stderr:
            raise BrokenPipeError
        self.quiet = True


class Screen:
    """Two streams. Only stdout can be a script's input; with `as_json` it holds nothing but JSON."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.out, self.err = _console(stderr=False), _console(stderr=True)

    def emit(self, value: BaseModel | dict[str, Any], *, lines: bool = False) -> None:
        """A JSON document; in `lines`, one line of them. ASCII, so that no terminal obeys it."""
        plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
        text = json.dumps(plain, indent=None if lines else 2)
        sys.stdout.write(text.replace("\x7f", "\\u007f") + "\n")
        sys.stdout.flush()

    def show(self, text: str | Text = "", style: str = "") -> None:
        """Lines of an answer, wrapped by nobody."""
        shown = Text(safe(text), style) if isinstance(text, str) else text
        self.out.print(shown, soft_wrap=True)

    def fact(self, name: str, value: object, style: str = "") -> None:
        """A name, and in its column what it is; nothing where it is None."""
        if value is not None:
            self.show(Text.assemble((f"{name:<{_NAME_WIDTH}} ", "dim"), (one_line(str(value)), style)))

    def say(self, message: str, style: str = "") -> None:
        """A message beside the answer."""
        self.err.print(Text(safe(message), style), soft_wrap=True)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, titled: bool = True) -> None:
        """Rows, in as many columns as the terminal has room for; all of them where it is none."""
        cells = [[one_line(cell) for cell in row] for row in rows]
        for line in laid_out(columns, cells, self.out.width, COLOURS, titled=titled):
            self.show(line)


def safe(text: str) -> str:
    r"""Text that no terminal obeys; its lines stay.

    >>> safe("\x1b[2Jgone")
    '\\x1b[2Jgone'
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The same in one line."""
    return safe(" ".join(text.split()))


def _console(*, stderr: bool) -> Console:
    console = _Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _ENDLESS
    return console
