"""How the local commands speak: a green tick for what is up, one red line for what is wrong."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

from rich.console import Console

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def up(part: str) -> None:
    """A part has started."""
    out.print(f"  [green]✓[/] {part}")


def fail(message: str) -> int:
    """One red line; the exit code for it."""
    err.print("✗ " + message.strip().replace("\n", " "), style="bold red", markup=False, soft_wrap=True)
    return 1


def end_on_sigterm() -> None:
    """Make SIGTERM end the program as Ctrl-C does, so that it stops what it started."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
