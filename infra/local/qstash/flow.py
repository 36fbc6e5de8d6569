"""Flow control: holds messages back until their key's parallelism and rate have room."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from infra.local.qstash.records import Message
from infra.local.qstash.timer import Timer
from infra.local.qstash.wire.flow_limits import FlowLimits


@dataclass(slots=True)
class Gate:
    """The state of one key: its limits, what is on its way, and who waits."""

    limits: FlowLimits
    active: int = 0
    period_start: float = -math.inf
    started: int = 0
    alarm: float | None = None
    waiting: deque[Message] = field(default_factory=deque)

    def has_room(self, now: float) -> bool:
        """Whether one more may start."""
        return self.active < (self.limits.parallelism or math.inf) and self._has_rate(now)

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

    def __init__(self, clock: Callable[[], float], timer: Timer, start: Callable[[Message], None]) -> None:
        self._clock = clock
        self._timer = timer
        self._start = start
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
            gate.active -= 1
            self._let_through(gate)

    def configure(self, limits: FlowLimits | None) -> None:
        """Take the limits of a newly published message: the last one counts for all of the key."""
        if limits is None:
            return
        gate = self._gates.setdefault(limits.key, Gate(limits))
        if limits.says_something and limits != gate.limits:
            gate.limits = limits
            self._let_through(gate)

    def gates(self) -> dict[str, Gate]:
        """All keys and their state."""
        return self._gates

    def reset(self) -> None:
        """Forget who waits and who is on the way, but not the limits."""
        for key, gate in self._gates.items():
            self._gates[key] = Gate(gate.limits)

    def _gate_of(self, message: Message) -> Gate | None:
        flow = message.options.flow
        return None if flow is None else self._gates.setdefault(flow.key, Gate(flow))

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
