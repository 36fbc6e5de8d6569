"""Ends an attempt from within, before Lambda ends its process from without."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from shared.errors import JobTimeout

_AGAIN_AFTER = 1.0  # seconds; an exception raised in a destructor is swallowed by the interpreter


class Alarm:
    """Raises JobTimeout in the main thread after so many seconds, again each second until it is stopped.

    Elsewhere than in the main thread (inline mode in a web server) it never rings: signals do not arrive there.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = max(seconds, 0.001)
        self._armed = False
        self.rang = False

    def start(self) -> None:
        """Begin to count."""
        if threading.current_thread() is threading.main_thread():
            self._armed = True
            signal.signal(signal.SIGALRM, self._ring)
            signal.setitimer(signal.ITIMER_REAL, self._seconds, _AGAIN_AFTER)

    def stop(self) -> None:
        """Never ring again."""
        if self._armed:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _ring(self, _number: int, _frame: FrameType | None) -> None:
        if self._armed:
            self.rang = True
            raise JobTimeout(f"timed out after {round(self._seconds, 1):g} s")
