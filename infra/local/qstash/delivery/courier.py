"""The life of one account's messages: due, sent, and then delivered, retried or failed."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..flow import FlowControl, Gate
from ..journal import AccountJournal
from ..plans import Plan
from ..queues import Queue, Queues
from ..records import Attempt, DeadLetter, Message, State
from ..store import Store
from ..timer import Timer
from ..wire.flow_limits import FlowLimits
from ..wire.options import Callback
from .backoff import chosen_wait, requested_wait
from .callbacks import callback_message
from .faults import Faults
from .sender import Sender
from .signing import SigningKeys


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
        plan: Plan,
        journal: AccountJournal,
        on_change: Callable[[], None],
    ) -> None:
        self.store = store
        self.keys = keys
        self.flow = FlowControl(rules.clock, timer, self._enter_all, journal)
        self.queues = Queues(clock=rules.clock, plan=plan, journal=journal, start=self.flow.enter)
        self.all = Gate(FlowLimits("", plan.max_parallelism))
        self._journal = journal
        self._rules = rules
        self._timer = timer
        self._sender = sender
        self._on_change = on_change
        self._in_flight: dict[asyncio.Task[None], Message] = {}
        self._sent: set[str] = set()
        self._paused = False
        self._letting_through = False

    def accept(self, message: Message) -> None:
        """Take in a new message and deliver it when it is due."""
        self.store.add(message)
        self._journal.otherwise(partial(self._take_back, message))
        self.flow.configure(message.options.flow)
        self._arm(message)

    def cancel(self, message: Message) -> None:
        """Send the message no more; a request that is under way ends unheeded."""
        self.store.record(message, State.CANCEL_REQUESTED)
        self.store.finish(message, State.CANCELED)
        self._log(message, "cancelled")
        if message.id in self._sent:
            self._on_change()  # its place in a queue is free once the request has ended
        else:
            self._over(message)

    def hurry(self, message: Message) -> None:
        """Let the message's delay or its wait before a retry be over now."""
        if message.due > self._rules.clock():
            message.due = self._rules.clock()
            self._journal.put("progress", message.id, message)
            self._arm(message)

    def rotate_keys(self) -> None:
        """Sign with the next key from now on."""
        self.keys.rotate()
        self._journal.put("keys", "", self.keys)

    def delete_queue(self, queue: Queue) -> None:
        """Delete a queue, and cancel who waits in it."""
        for message in self.queues.delete(queue):
            self.cancel(message)

    def resume(self) -> None:
        """Deliver all that is left from before a stop; what was under way then is sent again."""
        self._paused = False
        self.queues.reset(self.store.live.values())
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
        self.all = Gate(self.all.limits)
        self._sent.clear()

    @property
    def sending(self) -> bool:
        """Whether any delivery is under way."""
        return bool(self._in_flight)

    def next_due(self) -> float:
        """When the next message that waits for a time may go; infinite where none does."""
        now = self._rules.clock()
        times = [message.due for message in self.store.live.values()]
        times += [gate.period_end for gate in self.flow.gates().values() if gate.waiting]
        return min((time for time in times if time > now), default=math.inf)

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

    def _take_back(self, message: Message) -> None:
        message.finished_at = message.created_at  # so that its timer starts nothing
        self.store.take_back(message)
        self._on_change()

    def _arm(self, message: Message) -> None:
        self._timer.at(message.due, partial(self._begin, message, message.due))

    def _begin(self, message: Message, due: float) -> None:
        if not message.finished and message.due == due:
            self.queues.enter(message)

    def _enter_all(self, message: Message) -> None:
        if self.all.limits.parallelism is None:
            self.all.active += 1
            self._start(message)
        else:
            self.all.waiting.append(message)
            self._let_through()

    def _let_through(self) -> None:
        """Start those who may, as far as the whole account has room."""
        if self._letting_through:
            return
        self._letting_through = True
        while self.all.waiting and self.all.has_room(self._rules.clock()):
            message = self.all.waiting.popleft()
            if message.finished:
                self.flow.leave(message)
            else:
                self.all.start(self._rules.clock())
                self._start(message)
        self._letting_through = False

    def _start(self, message: Message) -> None:
        self._sent.add(message.id)
        way = self._sender.way(message)
        self._sender.lanes.enter(way, partial(self._take_off, message, way))

    def _take_off(self, message: Message, way: str) -> None:
        if self._paused:
            return  # it is armed anew when the server goes on
        task = asyncio.create_task(self._attempt(message))
        self._in_flight[task] = message
        task.add_done_callback(partial(self._land, way))

    def _land(self, way: str, task: asyncio.Task[None]) -> None:
        message = self._in_flight.pop(task)
        self._sent.discard(message.id)
        if not self._paused:
            self._sender.lanes.leave(way)
            self.all.active -= 1
            self.flow.leave(message)
            self._let_through()
            if message.state is State.CANCELED:
                self.queues.over(message.place)
        self._on_change()

    async def _attempt(self, message: Message) -> None:
        if message.finished:
            return  # cancelled between its turn and now
        self.store.record(message, State.ACTIVE)
        await self._rules.faults.wait_turn()
        if message.finished_at is not None:
            return
        attempt = await self._send(message)
        if not message.finished:
            self._settle(message, attempt)

    async def _send(self, message: Message) -> Attempt:
        faults = self._rules.faults
        if faults.drops_delivery():
            return self._lost("dropped on purpose, before it was sent")
        if faults.copies == 1:
            attempt = await self._sender.send(message, self.keys.current)
        else:
            copies = (self._sender.send(message, self.keys.current) for _ in range(faults.copies))
            attempt = (await asyncio.gather(*copies))[0]
        return self._lost("the answer was dropped on purpose") if faults.drops_answer() else attempt

    def _lost(self, error: str) -> Attempt:
        return Attempt(0, error=error, began=self._rules.clock())

    def _settle(self, message: Message, attempt: Attempt) -> None:
        self._report(message.options.callback, message, attempt)
        if attempt.succeeded:
            self.store.finish(message, State.DELIVERED, attempt)
            self._log(message, f"delivered: {attempt.status}")
            self._over(message)
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
        self._over(message)

    def _over(self, message: Message) -> None:
        self.queues.over(message.place)
        self._on_change()

    def _report(
        self, callback: Callback | None, message: Message, attempt: Attempt, letter: DeadLetter | None = None
    ) -> None:
        if callback is not None and not self._rules.faults.callbacks_dropped:
            report = callback_message(callback, message, attempt, self._rules.clock(), letter)
            self.queues.hold(report.place)
            self.accept(report)

    def _log(self, message: Message, text: str) -> None:
        self._rules.log(f"{message.id} {message.options.method} {message.url} {text}")
