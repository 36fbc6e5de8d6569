"""The time of day, which a test may set forward or back."""

from collections.abc import Callable

from .journal import Journal


class Clock:
    """Seconds since 1970 by another clock, and so many `ahead` of it."""

    def __init__(self, base: Callable[[], float], journal: Journal) -> None:
        self._base = base
        self._journal = journal
        self.ahead = 0.0

    def __call__(self) -> float:
        """The time."""
        return self._base() + self.ahead

    def unmoved(self) -> float:
        """The time of the other clock, which everybody tells who knows nothing of this one."""
        return self._base()

    def advance(self, seconds: float) -> None:
        """Be so much further ahead; less than nothing sets it back."""
        self.put(self.ahead + seconds)

    def put(self, ahead: float) -> None:
        """Be so many seconds ahead."""
        self.ahead = ahead
        self._journal.put("", "clock", "", self)
