"""Faults to inject, for tests of those who must survive them."""

import asyncio
from dataclasses import dataclass, field

# How long a delivery that is to be overtaken waits for others, in seconds of wall clock.
_PATIENCE = 0.1


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
    deliveries_dropped: int = 0
    answers_dropped: int = 0
    window: int = 1
    _held: list[asyncio.Future[None]] = field(default_factory=list, repr=False)

    def duplicate(self, times: int) -> None:
        """Send every delivery `times` times at once; the answer to the first copy is the one that counts."""
        self.copies = max(1, times)

    def drop_callbacks(self, dropped: bool = True) -> None:
        """Lose every callback and failure callback: neither sent, nor in any list."""
        self.callbacks_dropped = dropped

    def drop_deliveries(self, count: int) -> None:
        """Lose the next `count` deliveries on their way: the destination never hears of them, they count as failed."""
        self.deliveries_dropped = count

    def drop_answers(self, count: int) -> None:
        """Lose the answers to the next `count` deliveries: the destination did its work, they count as failed."""
        self.answers_dropped = count

    def delay(self, seconds: float) -> None:
        """Hold every delivery back for `seconds` of wall clock after it has become active."""
        self.delivery_delay = seconds

    def reorder(self, window: int) -> None:
        """Let deliveries overtake: of each `window` that come close together, the last one goes first."""
        self.window = max(1, window)

    def refuse_publish(self, status: int = 503, times: int | None = None) -> None:
        """Answer publish, enqueue and batch with `status`, for the next `times` calls or until cleared."""
        self.publish_status, self.publish_refusals_left = status, times

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self.copies, self.callbacks_dropped, self.delivery_delay, self.window = 1, False, 0.0, 1
        self.deliveries_dropped = self.answers_dropped = 0
        self.publish_status, self.publish_refusals_left = None, None
        self._release()

    def next_refusal(self) -> int | None:
        """The status that the present publish is to be refused with, if any; counts it."""
        if self.publish_refusals_left == 0:
            return None
        if self.publish_refusals_left is not None:
            self.publish_refusals_left -= 1
        return self.publish_status

    def drops_delivery(self) -> bool:
        """Whether the present delivery is to be lost; counts it."""
        self.deliveries_dropped, dropped = max(0, self.deliveries_dropped - 1), self.deliveries_dropped > 0
        return dropped

    def drops_answer(self) -> bool:
        """Whether the answer to the present delivery is to be lost; counts it."""
        self.answers_dropped, dropped = max(0, self.answers_dropped - 1), self.answers_dropped > 0
        return dropped

    async def wait_turn(self) -> None:
        """Return when the present delivery may go."""
        if self.delivery_delay:
            await asyncio.sleep(self.delivery_delay)
        if self.window > 1:
            turn = asyncio.get_running_loop().create_future()
            self._held.append(turn)
            if len(self._held) >= self.window:
                self._release()
            elif len(self._held) == 1:
                asyncio.get_running_loop().call_later(_PATIENCE, self._release)
            await turn

    def _release(self) -> None:
        held, self._held = self._held, []
        for turn in reversed(held):
            if not turn.done():
                turn.set_result(None)
