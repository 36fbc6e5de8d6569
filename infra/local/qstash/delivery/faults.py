"""Faults to inject, for tests of those who must survive them."""

from dataclasses import dataclass


@dataclass(slots=True)
class Faults:
    """What goes wrong from now on; all zero means nothing. Set attributes or call the verbs.

    Example: `server.faults.duplicate(3)`; later `server.faults.clear()`.
    """

    copies: int = 1
    callbacks_dropped: bool = False
    delivery_delay: float = 0.0
    publish_status: int | None = None
    publish_refusals_left: int | None = None

    def duplicate(self, times: int) -> None:
        """Send every delivery `times` times at once; the answer to the first copy is the one that counts."""
        self.copies = max(1, times)

    def drop_callbacks(self, dropped: bool = True) -> None:
        """Lose every callback and failure callback: neither sent, nor in any list."""
        self.callbacks_dropped = dropped

    def delay(self, seconds: float) -> None:
        """Hold every delivery back for `seconds` of wall clock after it has become active."""
        self.delivery_delay = seconds

    def refuse_publish(self, status: int = 503, times: int | None = None) -> None:
        """Answer publish and batch with `status`, for the next `times` calls or until cleared."""
        self.publish_status, self.publish_refusals_left = status, times

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self.copies, self.callbacks_dropped, self.delivery_delay = 1, False, 0.0
        self.publish_status, self.publish_refusals_left = None, None

    def next_refusal(self) -> int | None:
        """The status that the present publish is to be refused with, if any; counts it."""
        if self.publish_refusals_left == 0:
            return None
        if self.publish_refusals_left is not None:
            self.publish_refusals_left -= 1
        return self.publish_status
