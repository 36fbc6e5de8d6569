"""Flow control: holds messages back until their key's parallelism and rate have room."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .journal import AccountJournal
from .records import Message
from .timer import Timer
from .wire.flow_limits import FlowLimits


@dataclass(slots=True)
class Gate:
    """The state of one key: its limits, what is on its way, and who waits."""

    limits: FlowLimits
    active: int = 0
    period_start: float = -math.inf
    started: int = 0
    alarm: float | None = None
    waiting: deque[Message] = field(default_factory=deque)
    paused: bool = False
    pinned_parallelism: bool = False
    pinned_rate: bool = False

    @property
    def waiting_count(self) -> int:
        """How many wait that are not over."""
        return sum(not message.finished for message in self.waiting)

    def has_room(self, now: float) -> bool:
        """Whether one more may start."""
        free = self.active < (self.limits.parallelism or math.inf)
        return not self.paused and free and self._has_rate(now)

    def start(self, now: float) -> None:
        """Count one that starts."""
        if now >= self.period_end:
            self.period_start, self.started = now, 0
        self.started += 1
        self.active += 1

    @property
    def period_end(self) -> float:
        """When the rate is counted anew."""
        return self.period_start + self.limits.period

    def _has_rate(self, now: float) -> bool:
        return now >= self.period_end or self.started < (self.limits.rate or math.inf)


class FlowControl:
    """The gates of one account. `start` is called for each message when it may go."""

    def __init__(
        self,
        clock: Callable[[], float],
        timer: Timer,
        start: Callable[[Message], None],
        journal: AccountJournal,
    ) -> None:
        self._clock = clock
        self._timer = timer
        self._start = start
        self._journal = journal
        self._gates: dict[str, Gate] = {}

    def enter(self, message: Message) -> None:
        """Start the message now or when its key has room, first come first served."""
        gate = self._gate_of(message)
        if gate is None:
            self._start(message)
        else:
            gate.waiting.append(message)
            self._let_through(gate)

    def leave(self, message: Message) -> None:
        """One that was started is over."""
        gate = self._gate_of(message)
        if gate is not None:
            gate.active = max(0, gate.active - 1)
            self._let_through(gate)

    def configure(self, limits: FlowLimits | None) -> None:
        """Take the limits of a newly published message: the last one counts for all of the key, but for what is pinned."""
        if limits is None:
            return
        gate = self._gates.get(limits.key)
        if gate is None:
            self.add(Gate(limits))
            return
        if limits.says_something:
            self._set_limits(gate, _unless_pinned(gate, limits))

    def pin(self, key: str, limits: FlowLimits) -> None:
        """Hold the key to those limits that are given, whatever messages say; the rate is counted anew."""
        gate = self._gates.get(key) or self.add(Gate(FlowLimits(key)))
        given = limits
        if limits.parallelism is None:
            given = replace(given, parallelism=gate.limits.parallelism)
        else:
            gate.pinned_parallelism = True
        if limits.rate is None:
            given = replace(given, rate=gate.limits.rate, period=gate.limits.period)
        else:
            gate.pinned_rate = True
            gate.period_start, gate.started = -math.inf, 0
        self._set_limits(gate, given)

    def unpin(self, gate: Gate, *, parallelism: bool, rate: bool) -> None:
        """Let the next message decide again; until then the limits stay as they were pinned."""
        gate.pinned_parallelism = gate.pinned_parallelism and not parallelism
        gate.pinned_rate = gate.pinned_rate and not rate
        self._save(gate)

    def pause(self, key: str) -> None:
        """Start nothing more of the key; periods go on."""
        gate = self._gates.get(key) or self.add(Gate(FlowLimits(key)))
        gate.paused = True
        self._save(gate)

    def resume(self, gate: Gate) -> None:
        """Start what waits, as far as there is room."""
        gate.paused = False
        self._save(gate)
        self._let_through(gate)

    def reset_rate(self, gate: Gate) -> None:
        """Begin a new period now."""
        gate.period_start, gate.started = self._clock(), 0
        self._let_through(gate)

    def add(self, gate: Gate) -> Gate:
        """Take in a key."""
        self._gates[gate.limits.key] = gate
        self._save(gate)
        return gate

    def gates(self) -> dict[str, Gate]:
        """All keys and their state."""
        return self._gates

    def reset(self) -> None:
        """Forget who waits and who is on the way, but not the limits."""
        for gate in self._gates.values():
            gate.active, gate.alarm = 0, None
            gate.waiting.clear()

    def _gate_of(self, message: Message) -> Gate | None:
        flow = message.options.flow
        return None if flow is None else self._gates.get(flow.key) or self.add(Gate(flow))

    def _set_limits(self, gate: Gate, limits: FlowLimits) -> None:
        if limits != gate.limits:
            gate.limits = limits
            gate.alarm = None
        self._save(gate)
        self._let_through(gate)

    def _let_through(self, gate: Gate) -> None:
        while gate.waiting and gate.has_room(self._clock()):
            message = gate.waiting.popleft()
            if not message.finished:
                gate.start(self._clock())
                self._start(message)
        self._come_back(gate)

    def _come_back(self, gate: Gate) -> None:
        # Whoever waits for parallelism is let in by `leave`; only a period ends by itself.
        end = gate.period_end
        if gate.waiting and end > self._clock() and gate.alarm != end:
            gate.alarm = end
            self._timer.at(end, lambda: self._let_through(gate))

    def _save(self, gate: Gate) -> None:
        self._journal.put("gate", gate.limits.key, gate)


def _unless_pinned(gate: Gate, limits: FlowLimits) -> FlowLimits:
    if gate.pinned_parallelism:
        limits = replace(limits, parallelism=gate.limits.parallelism)
    if gate.pinned_rate:
        limits = replace(limits, rate=gate.limits.rate, period=gate.limits.period)
    return limits
