"""Chaos in real time: wave after wave of load, while those before heal by themselves, with a sweep a minute."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.chaos.evidence import gather
from tests.chaos.faults import Breaker, Outage
from tests.chaos.healing import BOUND, CRASHES, Sweep, healed_in, waits
from tests.chaos.invariants import judge
from tests.chaos.owners import Owner
from tests.chaos.producer import in_threads
from tests.chaos.promises import Promises
from tests.chaos.report import Healing, Report
from tests.chaos.run import acting, forbidden
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.stage import WORKER, Stage
from tests.chaos.wishes import errands

SWEEP_EVERY = 60.0  # seconds, as in production
_PRODUCERS = 4
_SPARED = 0.8  # of the sweeps: two that are killed in a row heal nothing
_BACKLOG = 60  # messages
_HEARD_BY = 15.0  # seconds after which a delivery that goes on has been heard of
_SETTLED = 5.0  # seconds without anything left to do
_LIMIT = 900.0  # seconds within which all of a wave must have ended
_LEFT = """
SELECT count(*)::int AS count FROM job_executions WHERE payload ->> 'tag' LIKE %s AND (completed_at IS NULL
    OR (status = 'failed' AND failure_callback IS NOT NULL AND failure_called_at IS NULL))
"""
_RUNS = "SELECT count(*)::int AS count FROM job_executions WHERE payload ->> 'tag' = ANY(%s)"
# What QStash no longer holds and nobody has told of is looked for after 15 minutes: here as soon as a whole sweep would
# have heard of it in any other way.
_BRING_FORWARD = """
WITH gone AS (
    UPDATE job_executions SET deliver_by = clock_timestamp()
    WHERE status IN ('pending', 'retrying') AND published_at IS NOT NULL AND deliver_by > clock_timestamp()
        AND updated_at < to_timestamp(%s) AND NOT (qstash_message_id = ANY(%s))
    RETURNING job_id
)
INSERT INTO chaos_patience (job_id) SELECT job_id FROM gone
"""


@dataclass(slots=True)
class Wave:
    """The jobs of one scenario's load. Times are in seconds since 1970, `quiet_since` 0 while anything is left."""

    name: str
    scenario: str
    promises: Promises
    begin: float
    end: float = 0.0
    report: Report = field(default_factory=lambda: Report(runs=1))
    quiet_since: float = 0.0


class Endurance:
    """Makes waves and judges each once it is over. `outages` and `sweeps` are those of the whole run."""

    def __init__(self, stage: Stage, seed: int, *, jobs: int, seconds: float) -> None:
        self.total = Report()
        self.pending: list[Wave] = []
        self.outages: list[Outage] = []
        self.sweeps: list[tuple[float, float, bool]] = []
        self._stage, self._seed, self._jobs, self._seconds = stage, seed, jobs, seconds
        self._chance = random.Random(seed)
        self._judged: list[Wave] = []
        self._number = 0
        self._deliveries = stage.starts[WORKER]
        self._rejections = 0
        self._room = threading.Event()
        self._brought_forward = 0.0

    @property
    def deliveries(self) -> int:
        """How many have been made so far."""
        return self._stage.starts[WORKER] - self._deliveries

    @contextmanager
    def sweeping(self) -> Iterator[None]:
        """A sweep a minute, whatever became of the last one."""
        over, failed = threading.Event(), Promises()
        looking = Owner(self._look_at_qstash, failed, 0.5)

        def work() -> None:
            due = time.monotonic()
            while not over.wait(max(0.0, due - time.monotonic())):
                threading.Thread(target=self._sweep).start()
                due += SWEEP_EVERY

        thread = threading.Thread(target=work, name="sweeps")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            looking.end()
            self.total.verdict.broken += failed.broken

    def wave(self, scenario: str) -> None:
        """Load while one scenario's faults happen."""
        name = f"{self._seed}-{self._number}-{scenario}"
        self._number += 1
        chance, chosen = random.Random(name), SCENARIOS[scenario]
        wave = Wave(name, scenario, Promises(), time.time())
        wave.promises.expect(errands(chance, name, self._jobs, self._seconds * _PRODUCERS / self._jobs))
        breaker = Breaker(self._stage, wave.promises, chance, name)
        breaker.real_time, breaker.deliveries_apart = True, 15
        hits, deliveries = self._stage.hits, self._stage.starts[WORKER]
        over = threading.Event()
        with (
            acting(self._stage, wave.promises, name, 2.0),
            breaker.breaking(chosen.moments, chosen.lasting, pace=0.8),
        ):
            producers = in_threads(list(wave.promises.errands), wave.promises, _PRODUCERS, over, self._room)
            try:
                ends = time.monotonic() + self._seconds * 2
                for producer in producers:
                    producer.join(max(0.0, ends - time.monotonic()))
            finally:
                over.set()
                for producer in producers:
                    producer.join()
        wave.end = time.time()
        self.outages += breaker.outages
        wave.report.injected, wave.report.hits = breaker.injected, self._stage.hits - hits
        wave.report.deliveries = self._stage.starts[WORKER] - deliveries
        self.pending.append(wave)

    def judge_ripe(self) -> list[Wave]:
        """Judge the waves that are over, and those that should be; they are in `total` then."""
        ripe = [wave for wave in self.pending if self._is_ripe(wave)]
        for wave in ripe:
            self.pending.remove(wave)
            self._judge(wave)
            self._judged.append(wave)
            self.total.add(wave.report)
        if wrong := self._stage.rejections - self._rejections:
            self._rejections += wrong
            self.total.verdict.broken.append(f"{wrong} signatures of QStash were rejected")
        return ripe

    def heal(self, progress: Callable[[list[Wave]], None]) -> None:
        """Wait until all waves so far are over, or one has been found guilty."""
        while self.pending and not self.total.verdict.violations:
            time.sleep(1.0)
            progress(self.judge_ripe())

    def finish(self, progress: Callable[[list[Wave]], None]) -> None:
        """Wait until all waves are over, and look at each once more: nothing may have changed since."""
        self.heal(progress)
        self.total.deliveries = self.deliveries
        for wave in self._judged:
            again = judge(gather(self._stage, wave.name), wave.promises, self._stage.callbacks.told)
            known = set(wave.report.verdict.violations)
            self.total.verdict.broken += [f"later: {each}" for each in again.violations if each not in known]

    # ------------------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        self._stage.spared = frozenset({"reconcile"} if self._chance.random() < _SPARED else ())
        if self._stage.spared:
            self._stage.pardon("reconcile")
        begin = time.time()
        try:
            whole = self._stage.reconcile() is not None
        except Exception:  # it took longer than anybody waits
            whole = False
        self.sweeps.append((begin, time.time(), whole))

    def _look_at_qstash(self) -> None:
        """Let producers wait while much is waiting, for a backlog is no failure to heal; bring forward what is gone."""
        held = self._stage.messages()
        if len(held) < _BACKLOG:
            self._room.set()
        else:
            self._room.clear()
        whole = [begin for begin, _end, whole in self.sweeps if whole]
        if whole and whole[-1] > self._brought_forward:
            self._brought_forward = whole[-1]
            self._stage.execute(_BRING_FORWARD, [whole[-1] - _HEARD_BY, held])

    def _is_ripe(self, wave: Wave) -> bool:
        now = time.time()
        if now - wave.end > _LIMIT:
            return True
        (left,) = self._stage.execute(_LEFT, [f"{wave.name}/%"])
        always = {tag: fired for tag, fired in wave.promises.fired.items() if tag.endswith("allow")}
        (runs,) = self._stage.execute(_RUNS, [list(always)])
        if left["count"] or runs["count"] < sum(map(len, always.values())):
            wave.quiet_since = 0.0
        else:
            wave.quiet_since = wave.quiet_since or now
        return wave.quiet_since > 0 and now - wave.quiet_since >= _SETTLED

    def _judge(self, wave: Wave) -> None:
        found = gather(self._stage, wave.name)
        report, sweeps = wave.report, self._judged_sweeps(wave.begin)
        report.verdict = judge(found, wave.promises, self._stage.callbacks.told)
        report.verdict.broken += forbidden(found, wave.scenario, wave.end)
        for job in found.jobs.values():
            for wait in waits(job.history):
                brought_forward = any(wait.begin <= at <= wait.end for at in job.patience)
                report.nets += brought_forward
                if brought_forward and wait.reason == "attempt lost":
                    report.verdict.stuck.append(f"{job.name}: it did not heal by itself: {wait}")
                if brought_forward:
                    continue
                seconds = healed_in(wait, sweeps)
                hit_again = seconds < wait.end - wait.begin
                measured = Healing(1, int(hit_again), seconds)
                report.healing[wait.reason] = report.healing.get(wait.reason, Healing()) + measured
                if seconds > BOUND and wait.reason in CRASHES:
                    report.verdict.stuck.append(
                        f"{job.name}: {seconds:.1f} s to heal, not {BOUND:.0f}: {wait}"
                    )

    def _judged_sweeps(self, since: float) -> Sequence[Sweep]:
        return [
            Sweep(begin, end, _hurt_until(begin, end, whole, self.outages))
            for begin, end, whole in self.sweeps
            if end >= since
        ]

    def count_sweeps(self) -> None:
        """Put the sweeps so far into the total."""
        judged = self._judged_sweeps(0.0)
        self.total.sweeps = len(judged)
        self.total.sweeps_hurt = sum(sweep.hurt_until is not None for sweep in judged)


def _hurt_until(begin: float, end: float, whole: bool, outages: Sequence[Outage]) -> float | None:
    met = [outage.end for outage in outages if outage.begin <= end and outage.end >= begin]
    return max([end, *met]) if met or not whole else None
