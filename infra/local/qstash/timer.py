"""Calls things when they are due by a clock that may be a test's."""

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable
from contextlib import suppress

# The clock may jump (a laptop wakes up, a test sets it), so a long sleep is taken in naps.
_LONGEST_NAP = 1.0


class Timer:
    """A list of due times and actions, worked off by `run`. Times are those of `clock`, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._changed = asyncio.Event()

    def at(self, due: float, action: Callable[[], None]) -> None:
        """Call `action` once it is `due`; among equals, in the order of the calls."""
        heapq.heappush(self._entries, (due, next(self._numbers), action))
        self.wake()

    def wake(self) -> None:
        """Look at the clock now; for whoever has set it."""
        self._changed.set()

    def next_due(self) -> float:
        """When the next action is due; infinite where there is none."""
        return self._entries[0][0] if self._entries else math.inf

    def clear(self) -> None:
        """Forget every action."""
        self._entries.clear()

    async def run(self) -> None:
        """Work until cancelled."""
        # Made here, because an event belongs to the loop that first waited for it.
        self._changed = asyncio.Event()
        while True:
            self._changed.clear()
            self._call_what_is_due()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._nap()):
                    await self._changed.wait()

    def _call_what_is_due(self) -> None:
        while self._entries and self._entries[0][0] <= self._clock():
            _, _, action = heapq.heappop(self._entries)
            action()

    def _nap(self) -> float | None:
        if not self._entries:
            return None
        return min(_LONGEST_NAP, self._entries[0][0] - self._clock())
