"""How far bulk work is: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from infra.cli.screen import Screen

Advance = Callable[[int], None]
_SECONDS = 5.0  # between two lines


@contextmanager
def progress(screen: Screen, what: str, total: int) -> Iterator[Advance]:
    """A bar for `total` steps while within; it is moved by calling what is handed out."""
    if not screen.err.is_terminal:
        yield _lines(screen, what, total)
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=screen.err) as bar:
        task = bar.add_task(what, total=total)

        def advance(steps: int) -> None:
            bar.advance(task, steps)
            current = bar.tasks[0]
            if current.total is not None and current.completed > current.total:  # more fit than were counted
                bar.update(task, total=current.completed)

        yield advance


def _lines(screen: Screen, what: str, total: int) -> Advance:
    done, said_at = 0, time.monotonic()

    def advance(steps: int) -> None:
        nonlocal done, said_at
        done += steps
        if time.monotonic() - said_at >= _SECONDS:
            screen.say(f"{what}: {done} of {max(total, done)}")
            said_at = time.monotonic()

    return advance
