"""Three clocks that are wrong: the producers', the functions' and QStash's, each up to half a minute off.

Postgres has the right time. The runtime client's own clock is left alone: on Lambda the deadline it counts down to
comes from the same machine.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Literal, Self

from shared import database, envelope, secrets, signature

VARIABLE = "CHAOS_CLOCK"  # names the file that holds what is wrong
Part = Literal["producer", "function"]
MOST = 30.0  # seconds that a clock is off, either way


@dataclass(frozen=True, slots=True)
class Wrongness:
    """How much the clocks of producers and functions are ahead, in seconds.

    `frozen` is how much time has passed for connections that lie idle, beyond what really has.
    """

    producer: float = 0.0
    function: float = 0.0
    frozen: float = 0.0

    def write(self, file: Path) -> None:
        """Put all clocks that look at this file wrong from now on."""
        draft = file.with_suffix(".draft")
        draft.write_text(f"{self.producer} {self.function} {self.frozen}")
        draft.replace(file)

    @classmethod
    def read(cls, file: Path) -> Self:
        """What the file says now."""
        return cls(*map(float, file.read_text().split()))


@contextmanager
def installed(part: Part, file: Path) -> Iterator[None]:
    """Let the product's modules look at this part's clock while the block runs."""
    from shared import job_request

    before = [(vars(module), "time", module.time) for module in (signature, secrets, envelope, database)]
    before.append((vars(job_request), "datetime", datetime))
    install(part, file)
    try:
        yield
    finally:
        for names, name, real in before:
            names[name] = real


def install(part: Part, file: Path | None = None) -> None:
    """Let the product's modules that look at the wall clock look at this part's, for good."""
    if file is None:
        if VARIABLE not in os.environ:
            return
        file = Path(os.environ[VARIABLE])
    for module, idles in ((signature, False), (secrets, False), (envelope, False), (database, True)):
        vars(module)["time"] = _Time(file, part, idles=idles)
    if part == "producer":
        from shared import job_request  # a worker must not pay for it

        vars(job_request)["datetime"] = _datetime(_Time(file, part, idles=False))


def now(part: Part, file: Path) -> datetime:
    """What time it is by that part's clock."""
    return datetime.fromtimestamp(_Time(file, part, idles=False).time(), UTC)


class _Time:
    """Stands in for the module `time`."""

    def __init__(self, file: Path, part: Part, *, idles: bool) -> None:
        self._file, self._part, self._idles = file, part, idles

    def time(self) -> float:
        wrong = Wrongness.read(self._file)
        ahead = wrong.producer if self._part == "producer" else wrong.function
        return time.time() + ahead + (wrong.frozen if self._idles else 0.0)

    def time_ns(self) -> int:
        return int(self.time() * 1e9)

    def monotonic(self) -> float:
        return time.monotonic()


def _datetime(clock: _Time) -> type[datetime]:
    """`datetime` with a `now` of that clock's."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.fromtimestamp(clock.time(), tz)

    return Wrong


class SlewedClock:
    """QStash's clock: put ahead at once or, as those who keep time for others do, by little and little.

    It goes back only so: set back at once, it would let what waits in QStash wait a minute more.
    """

    RATE = 0.25  # seconds a second

    def __init__(self, ahead: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._ahead = self._goal = ahead
        self._since = time.monotonic()

    def __call__(self) -> float:
        with self._lock:
            return time.time() + self._now_ahead()

    def put(self, seconds: float, *, at_once: bool = False) -> None:
        """Let it be so much ahead."""
        with self._lock:
            self._ahead, self._since = self._now_ahead(), time.monotonic()
            self._goal = seconds
            if at_once:
                self._ahead = max(self._ahead, seconds)

    def put_right(self, seconds: float = 0.0) -> None:
        """Let it be so much ahead at once, whatever it says now. Nothing may be waiting."""
        with self._lock:
            self._ahead = self._goal = seconds

    def pass_time(self, seconds: float, most: float) -> None:
        """Let so much time pass at once, unless it is `most` ahead then."""
        with self._lock:
            self._ahead = self._goal = min(self._now_ahead() + seconds, max(most, self._ahead))

    def _now_ahead(self) -> float:
        most = (time.monotonic() - self._since) * self.RATE
        return self._ahead + max(-most, min(most, self._goal - self._ahead))


def delayed(part: Part, file: Path, seconds: float) -> datetime:
    """So many seconds from now by that part's clock, as a caller would reckon it."""
    return now(part, file) + timedelta(seconds=seconds)
