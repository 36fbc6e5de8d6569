"""The life of one account's messages: due, sent, and then delivered, retried or failed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from infra.local.qstash.delivery.backoff import chosen_wait, requested_wait
from infra.local.qstash.delivery.callbacks import callback_message
from infra.local.qstash.delivery.faults import Faults
from infra.local.qstash.delivery.sender import Sender
from infra.local.qstash.delivery.signing import SigningKeys
from infra.local.qstash.flow import FlowControl
from infra.local.qstash.records import Attempt, DeadLetter, Message, State
from infra.local.qstash.store import Store
from infra.local.qstash.timer import Timer
from infra.local.qstash.wire.options import Callback


@dataclass(frozen=True, slots=True)
class Rules:
    """What all accounts of a server share. `backoff_scale` multiplies every wait before a retry."""

    clock: Callable[[], float]
    backoff_scale: float
    log: Callable[[str], None]
    faults: Faults


class Courier:
    """Delivers the messages of one account. `on_change` is called whenever one of them may be over."""

    def __init__(
        self,
        *,
        store: Store,
        keys: SigningKeys,
        rules: Rules,
        timer: Timer,
        sender: Sender,
        on_change: Callable[[], None],
    ) -> None:
        self.store = store
        self.keys = keys
        self.flow = FlowControl(rules.clock, timer, self._start)
        self._rules = rules
        self._timer = timer
        self._sender = sender
        self._on_change = on_change
        self._in_flight: dict[asyncio.Task[None], Message] = {}
        self._paused = False

    def accept(self, message: Message) -> None:
        """Take in a new message and deliver it when it is due."""
        self.store.add(message)
        self.flow.configure(message.options.flow)
        self._arm(message)

    def cancel(self, message: Message) -> None:
        """Send the message no more; a request that is under way ends unheeded."""
        self.store.record(message, State.CANCEL_REQUESTED)
        self.store.finish(message, State.CANCELED)
        self._log(message, "cancelled")
        self._on_change()

    def resume(self) -> None:
        """Deliver all that is left from before a stop; what was under way then is sent again."""
        self._paused = False
        for message in list(self.store.live.values()):
            self._arm(message)

    async def pause(self) -> None:
        """Break off every delivery and forget every timer, but no message."""
        self._paused = True
        tasks = list(self._in_flight)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.flow.reset()

    @property
    def busy(self) -> bool:
        """Whether any message is pending."""
        return bool(self.store.live or self._in_flight)

    def pending(self) -> list[Message]:
        """The messages that are waiting, due later or under way."""
        ended = [message for message in self._in_flight.values() if message.finished]
        return [*self.store.live.values(), *ended]

    async def redeliver(self, message: Message) -> int:
        """Send one more copy now, outside the message's life; its HTTP status, 0 without a response."""
        return (await self._sender.send(message, self.keys.current)).status

    def _arm(self, message: Message) -> None:
        self._timer.at(message.due, partial(self._begin, message))

    def _begin(self, message: Message) -> None:
        if not message.finished:
            self.flow.enter(message)

    def _start(self, message: Message) -> None:
        task = asyncio.create_task(self._attempt(message))
        self._in_flight[task] = message
        task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[None]) -> None:
        message = self._in_flight.pop(task)
        if not self._paused:
            self.flow.leave(message)
        self._on_change()

    async def _attempt(self, message: Message) -> None:
        self.store.record(message, State.ACTIVE)
        await asyncio.sleep(self._rules.faults.delivery_delay)
        copies = range(self._rules.faults.copies)
        attempts = await asyncio.gather(*(self._sender.send(message, self.keys.current) for _ in copies))
        if not message.finished:
            self._settle(message, attempts[0])

    def _settle(self, message: Message, attempt: Attempt) -> None:
        self._report(message.options.callback, message, attempt)
        if attempt.succeeded:
            self.store.finish(message, State.DELIVERED, attempt)
            self._log(message, f"delivered: {attempt.status}")
        elif attempt.forbids_retry or message.retried >= message.options.max_retries:
            self._fail(message, attempt)
        else:
            self._retry(message, attempt)

    def _retry(self, message: Message, attempt: Attempt) -> None:
        now = self._rules.clock()
        wait = requested_wait(attempt.headers, now)
        if wait is None:
            wait = chosen_wait(message.options.retry_delay, message.retried)
        message.due = now + wait * self._rules.backoff_scale
        self.store.record(message, State.ERROR, attempt, message.due)
        message.retried += 1
        self.store.record(message, State.RETRY, attempt, message.due)
        self._log(message, f"{attempt.explanation}; retry {message.retried} in {message.due - now:.1f} s")
        self._arm(message)

    def _fail(self, message: Message, attempt: Attempt) -> None:
        self.store.record(message, State.ERROR, attempt)
        self.store.finish(message, State.FAILED, attempt)
        letter = self.store.bury(message, attempt)
        self._log(message, f"{attempt.explanation}; dead letter {letter.dlq_id}")
        self._report(message.options.failure_callback, message, attempt, letter)

    def _report(
        self, callback: Callback | None, message: Message, attempt: Attempt, letter: DeadLetter | None = None
    ) -> None:
        if callback is not None and not self._rules.faults.callbacks_dropped:
            self.accept(callback_message(callback, message, attempt, self._rules.clock(), letter))

    def _log(self, message: Message, text: str) -> None:
        self._rules.log(f"{message.id} {message.options.method} {message.url} {text}")
