"""Ends an attempt from within, before Lambda ends its process from without."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

from shared.errors import JobTimeout

_AGAIN_AFTER = 1.0  # seconds; an exception raised in a destructor is swallowed by the interpreter


class Alarm:
    """Raises JobTimeout in the main thread after so many seconds, again each second until it is stopped.

    Elsewhere than in the main thread (inline mode in a web server) it never rings: signals do not arrive there.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = max(seconds, 0.001)
        self._armed, self._started = False, 0.0
        self._before: tuple[Any, float, float] = (signal.SIG_DFL, 0.0, 0.0)
        self.rang = False

    def start(self) -> None:
        """Begin to count."""
        if threading.current_thread() is threading.main_thread():
            self._armed, self._started = True, time.monotonic()
            handler = signal.signal(signal.SIGALRM, self._ring)
            left, _again = signal.setitimer(signal.ITIMER_REAL, self._seconds, _AGAIN_AFTER)
            self._before = (handler, left, time.monotonic())

    def stop(self) -> None:
        """Never ring again, and let an alarm that was set before this one count on."""
        if self._armed:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            handler, left, started = self._before
            signal.signal(signal.SIGALRM, handler)
            if left:
                signal.setitimer(
                    signal.ITIMER_REAL, max(left - (time.monotonic() - started), 0.001), _AGAIN_AFTER
                )

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._armed:
            self.rang = True
            raise JobTimeout(self.message)

    @property
    def message(self) -> str:
        """What a timeout says."""
        return f"timed out after {round(self._seconds, 1):g} s"

    @property
    def seconds_left(self) -> float:
        """Seconds until it rings; all of them where it has not been started."""
        return max(self._seconds - (time.monotonic() - self._started), 0.0) if self._armed else self._seconds
