"""What many runs add up to, as a table for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.healing import BOUND, CRASHES
from tests.chaos.invariants import Verdict


@dataclass(slots=True)
class Healing:
    """Waits that were measured, of one reason: how many, how many counted from a later fault, the longest in seconds."""

    count: int = 0
    hit_again: int = 0
    longest: float = 0.0

    def __add__(self, other: Healing) -> Healing:
        """Both."""
        return Healing(
            self.count + other.count, self.hit_again + other.hit_again, max(self.longest, other.longest)
        )


@dataclass(slots=True)
class Report:
    """The sum of all runs so far. `hits`: processes that died at a fault point, by its name."""

    injected: Counter[str] = field(default_factory=Counter)
    hits: Counter[str] = field(default_factory=Counter)
    deliveries: int = 0
    runs: int = 0
    sweeps: int = 0
    sweeps_hurt: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    healing: dict[str, Healing] = field(default_factory=dict)
    nets: int = 0  # jobs whose message was gone without a word

    def add(self, other: Report) -> None:
        """Take in another report."""
        self.injected += other.injected
        self.hits += other.hits
        for name in ("deliveries", "runs", "sweeps", "sweeps_hurt", "nets"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for reason, healing in other.healing.items():
            self.healing[reason] = self.healing.get(reason, Healing()) + healing
        for name in Verdict.__slots__:
            setattr(self.verdict, name, getattr(self.verdict, name) + getattr(other.verdict, name))

    def table(self) -> str:
        """In Markdown."""
        rows = [*self._injected(), *self._counts(), *self._verdict(), *self._healing()]
        return "\n".join(["| what | how many |", "|---|---:|", *(f"| {what} | {n} |" for what, n in rows)])

    def _injected(self) -> list[tuple[str, object]]:
        killed = [(f"killed at fault point {name}", count) for name, count in sorted(self.hits.items())]
        return [*((f"injected: {name}", count) for name, count in sorted(self.injected.items())), *killed]

    def _counts(self) -> list[tuple[str, object]]:
        verdict = self.verdict
        return [
            ("runs", self.runs),
            ("jobs accepted", verdict.accepted),
            ("recorded though the producer got no answer", verdict.unanswered),
            ("deliveries that reached the worker", self.deliveries),
            ("completed", verdict.completed),
            ("failed or cancelled as intended", verdict.ended_as_intended),
            ("cancelled by their owners", verdict.cancelled_by_owners),
            ("dead letters run again", verdict.replayed),
            ("batches", verdict.batches),
            ("next jobs of completed ones", verdict.chained),
            ("runs of schedules", verdict.scheduled),
            ("failures told to their callbacks", verdict.failures_told),
            ("tries beyond the first, of completed jobs", verdict.tries_beyond_one),
            *((f"errors recorded: {name}", count) for name, count in sorted(verdict.errors.items())),
        ]

    def _verdict(self) -> list[tuple[str, object]]:
        verdict = self.verdict
        return [
            ("lost", len(verdict.lost)),
            ("doubled", len(verdict.doubled)),
            ("stuck", len(verdict.stuck)),
            ("other invariants broken", len(verdict.broken)),
        ]

    def _healing(self) -> list[tuple[str, object]]:
        if not self.healing:
            return []
        rows: list[tuple[str, object]] = [
            ("sweeps, one a minute", self.sweeps),
            ("of them met a fault or were killed", self.sweeps_hurt),
            ("brought forward: message gone without a word, 15 min by design", self.nets),
        ]
        for reason, healing in sorted(self.healing.items()):
            rows.append((f"waits: {reason}", healing.count))
            rows.append((f"of them hit by another fault while they healed: {reason}", healing.hit_again))
            bound = f" (at most {BOUND:.0f} s)" if reason in CRASHES else ""
            rows.append((f"longest: {reason}{bound}", f"{healing.longest:.1f} s"))
        return rows
