"""Kills processes at the product's own named fault points, armed through files."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from shared import fault_points
from shared.fault_points import FaultPoint

VARIABLE = "CHAOS_DOOM"  # names the file that a process takes its points from
HITS = "CHAOS_HITS"  # names the file in which it says which one it died at
Handler = Callable[[Mapping[str, Any], Any], Any]


_armed_at = [0.0]  # seconds since 1970


def order(file: Path, points: Iterable[tuple[FaultPoint, int]]) -> None:
    """Have the next process that looks at the file die at the first of these points it reaches, that many times."""
    draft = file.with_suffix(".draft")
    draft.write_text("\n".join(f"{point.name} {times}" for point, times in points))
    draft.replace(file)


def watched(handler: Handler) -> Handler:
    """A Lambda handler that looks for an order before each invocation."""
    order_file = os.environ.get(VARIABLE)

    def watching(event: Mapping[str, Any], context: Any) -> Any:
        if order_file is not None:
            _heed_pardon(Path(order_file))
            _take(Path(order_file))
        return handler(event, context)

    return watching


def pardon(file: Path) -> None:
    """Take orders back, also those that a process has taken and not met its point yet."""
    file.unlink(missing_ok=True)
    file.with_suffix(".pardon").write_text("")


def _heed_pardon(file: Path) -> None:
    if not fault_points._actions:
        return
    try:
        pardoned = file.with_suffix(".pardon").stat().st_mtime
    except FileNotFoundError:
        return
    if pardoned >= _armed_at[0]:
        fault_points._actions.clear()


def _take(file: Path) -> None:
    taken = file.with_suffix(f".{os.getpid()}")
    try:
        file.rename(taken)  # one process takes it
    except FileNotFoundError:
        return
    taken_at = time.time()
    words = [line.split() for line in taken.read_text().splitlines()]
    taken.unlink()
    fault_points._actions.clear()
    _armed_at[0] = taken_at
    for name, times in words:
        arm(FaultPoint[name], int(times))


def arm(point: FaultPoint, times: int) -> None:
    """Kill this process when it reaches the point for the `times`-th time."""
    fault_points.arm(point, partial(_reached, point, times))


def _reached(point: FaultPoint, times: int) -> None:
    if times > 1:
        arm(point, times - 1)
        return
    with Path(os.environ[HITS]).open("a") as hits:
        hits.write(f"{point.name}\n")
    os.kill(os.getpid(), signal.SIGKILL)


def count(file: Path) -> Counter[str]:
    """How many processes have died at which point."""
    return Counter(file.read_text().split()) if file.exists() else Counter()
