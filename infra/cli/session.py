"""One call of the command: where it goes, how it speaks, and what it may ask whoever sits at the terminal."""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import click
import httpx

from functions.jobs_api.shapes import Types
from infra.cli.api import Api
from infra.cli.errors import Invalid, NotDone, Wrong
from infra.cli.screen import Screen
from infra.cli.target import find_target
from infra.samconfig import SAMCONFIG


@dataclass
class Session:
    """What all commands share. `transport` and `sleep` are another's in tests."""

    url: str | None = None
    env: str | None = None
    as_json: bool = False
    samconfig: Path = SAMCONFIG
    transport: httpx.BaseTransport | None = None
    sleep: Callable[[float], None] = time.sleep
    keyless: bool = field(default=False, init=False)

    @cached_property
    def screen(self) -> Screen:
        """Where it prints."""
        return Screen(as_json=self.as_json)

    @cached_property
    def api(self) -> Api:
        """The API. Raises NotDone where there is none, or no key."""
        target = find_target(self.url, self.env, self.samconfig)
        if not self.keyless:
            target = target.with_key()
        return Api(target, self.screen.say, transport=self.transport, sleep=self.sleep)

    def confirm(self, question: str, *, yes: bool) -> None:
        """Go on if `yes`, or if whoever sits there says so. Raises Wrong where nobody can be asked, else NotDone."""
        if yes:
            return
        if not sys.stdin.isatty():
            raise Wrong(f"{question} Nobody can be asked here: repeat it with --yes")
        if not click.confirm(question, err=True):
            raise NotDone("nothing was done")

    @contextmanager
    def knowing_types(self, given: str | None) -> Iterator[None]:
        """Where the API does not know the job type that was given, say which one it may have been. Raises Wrong."""
        try:
            yield
        except Invalid as error:
            at_fault = {name.rpartition(".")[2] for name, _what in error.problems}
            if given is None or "type" not in at_fault:
                raise
            known = [str(each.type) for each in self.api.get("/v1/types", Types).types]
            raise Wrong(f"there is no job type {given!r}: {nearest(given, known)}") from None


def nearest(given: str, known: Iterable[str]) -> str:
    """A question after what was meant, else all that there are.

    >>> nearest("send-emial", ["send-email", "ping"])
    'did you mean send-email?'
    """
    names = {each.lower(): each for each in sorted(known)}
    alike = difflib.get_close_matches(given.lower(), names, n=3)
    close = [names[each] for each in alike or [each for each in names if given.lower()[:4] in each]]
    return (
        f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(names.values()) or 'none'}"
    )
