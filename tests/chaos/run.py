"""One run: load, faults, drain, verdict; and what many of them add up to."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.chaos.drain import Stuck, drain
from tests.chaos.faults import SCENARIOS, Breaker
from tests.chaos.invariants import Verdict, judge
from tests.chaos.producer import Promises, ask_for_all, wish
from tests.chaos.stage import WORKER, Stage

_PRODUCERS = 4
_SWEEP_EVERY = 0.4  # seconds, while the load lasts


@dataclass(slots=True)
class Report:
    """The sum of all runs so far."""

    injected: Counter[str] = field(default_factory=Counter)
    deliveries: int = 0
    runs: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    longest_heal: float = 0.0
    most_sweeps: int = 0

    def add(self, other: Report) -> None:
        """Take in another report."""
        self.injected += other.injected
        self.deliveries += other.deliveries
        self.runs += other.runs
        self.longest_heal = max(self.longest_heal, other.longest_heal)
        self.most_sweeps = max(self.most_sweeps, other.most_sweeps)
        for name in Verdict.__slots__:
            ours, theirs = getattr(self.verdict, name), getattr(other.verdict, name)
            setattr(self.verdict, name, ours + theirs)

    def table(self) -> str:
        """For people."""
        verdict = self.verdict
        rows = [
            *[(f"injected: {name}", str(count)) for name, count in sorted(self.injected.items())],
            ("runs", str(self.runs)),
            ("jobs accepted", str(verdict.accepted)),
            ("recorded though the producer got no answer", str(verdict.unanswered)),
            ("deliveries that reached the worker", str(self.deliveries)),
            ("completed", str(verdict.completed)),
            ("failed or cancelled as intended", str(verdict.ended_as_intended)),
            ("tries beyond the first, of completed jobs", str(verdict.tries_beyond_one)),
            *[(f"errors recorded: {name}", str(count)) for name, count in sorted(verdict.errors.items())],
            ("lost", str(len(verdict.lost))),
            ("doubled", str(len(verdict.doubled))),
            ("stuck", str(len(verdict.stuck))),
            ("other invariants broken", str(len(verdict.broken))),
            ("longest heal after the load", f"{self.longest_heal:.1f} s, {self.most_sweeps} sweeps"),
        ]
        return "\n".join(["| what | how many |", "|---|---:|", *(f"| {what} | {n} |" for what, n in rows)])


def run(stage: Stage, scenario: str, name: str, *, jobs: int, seconds: float, limit: float = 60.0) -> Report:
    """Ask for so many jobs within about so many seconds while things break, and judge what came of it.

    `name` is the seed, and begins every job's tag. Everything must be over within `limit` seconds after the load.
    """
    chance, promises = random.Random(name), Promises()
    wishes = [wish(chance, f"{name}/{number}", seconds * _PRODUCERS / jobs) for number in range(jobs)]
    promises.wishes = {wanted.tag: wanted for wanted in wishes}
    breaker = Breaker(stage, promises, chance, name)
    deliveries, rejections = stage.starts[WORKER], stage.rejections
    with breaker.breaking(SCENARIOS[scenario], pace=max(0.15, seconds / 12)):
        producers = ask_for_all(wishes, promises, _PRODUCERS)
        while any(producer.is_alive() for producer in producers):
            stage.reconcile()
            time.sleep(_SWEEP_EVERY)
    report = Report(injected=breaker.injected, runs=1)
    try:
        drained = drain(stage, limit)
    except Stuck as stuck:
        promises.broken.append(str(stuck))
    else:
        report.longest_heal, report.most_sweeps = drained.seconds, drained.sweeps
    report.verdict = judge(stage, promises, name)
    for error in SCENARIOS[scenario].never:
        if count := report.verdict.errors[error]:
            report.verdict.broken.append(
                f"{name}: {count} errors of type {error}, which {scenario} must not cause"
            )
    if wrong := stage.rejections - rejections:
        report.verdict.broken.append(f"{name}: {wrong} signatures of QStash were rejected")
    report.deliveries = stage.starts[WORKER] - deliveries
    return report
