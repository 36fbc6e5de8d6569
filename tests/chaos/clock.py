"""The functions' wall clock, put wrong on command, as the product's modules see it.

The runtime client's own clock is left alone: on Lambda the deadline it counts down to comes from the same machine.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from shared import database, secrets, signature

VARIABLE = "CHAOS_CLOCK"  # names the file that holds the two numbers, in seconds


def write(file: Path, *, skew: float, frozen: float) -> None:
    """Put all functions' clocks wrong from now on.

    `skew`: a third of the processes is so much ahead, a third so much behind. `frozen`: how much time has passed for
    connections that lie idle, beyond what really has.
    """
    draft = file.with_suffix(".draft")
    draft.write_text(f"{skew} {frozen}")
    draft.replace(file)


def install() -> None:
    """Let the modules that look at the wall clock look at ours."""
    if VARIABLE not in os.environ:
        return
    file = Path(os.environ[VARIABLE])
    for module, idles in ((signature, False), (secrets, False), (database, True)):
        vars(module)["time"] = _Clock(file, idles=idles)


class _Clock:
    """Stands in for the module `time`."""

    def __init__(self, file: Path, *, idles: bool) -> None:
        self._file, self._idles = file, idles

    def time(self) -> float:
        skew, frozen = map(float, self._file.read_text().split())
        return time.time() + skew * (os.getpid() % 3 - 1) + (frozen if self._idles else 0.0)

    def monotonic(self) -> float:
        return time.monotonic()
