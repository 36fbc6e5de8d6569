"""One short run: load, faults, drain, verdict. Time is moved rather than waited for."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.drain import Stuck, drain
from tests.chaos.evidence import Evidence, gather
from tests.chaos.faults import Breaker
from tests.chaos.invariants import judge
from tests.chaos.owners import Owner, replayer, scheduler
from tests.chaos.producer import in_threads
from tests.chaos.promises import Promises
from tests.chaos.report import Report
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.stage import WORKER, Stage
from tests.chaos.wishes import errands

_PRODUCERS = 4
_SWEEP_EVERY = 0.4  # seconds, while the load lasts


def run(stage: Stage, scenario: str, name: str, *, jobs: int, seconds: float, limit: float = 60.0) -> Report:
    """Ask for so many jobs within about so many seconds while things break, and judge what came of it.

    `name` is the seed, and begins every job's tag. Everything must be over within `limit` seconds after the load.
    """
    report, _promises = run_and_keep(stage, scenario, name, jobs=jobs, seconds=seconds, limit=limit)
    return report


def run_and_keep(
    stage: Stage, scenario: str, name: str, *, jobs: int, seconds: float, limit: float = 60.0
) -> tuple[Report, Promises]:
    """As `run`, with what producers were promised."""
    chance, promises = random.Random(name), Promises()
    promises.expect(errands(chance, name, jobs, seconds * _PRODUCERS / jobs))
    breaker = Breaker(stage, promises, chance, name)
    deliveries, rejections, hits = stage.starts[WORKER], stage.rejections, stage.hits
    chosen = SCENARIOS[scenario]
    with (
        acting(stage, promises, name, seconds / 4),
        breaker.breaking(chosen.moments, chosen.lasting, pace=max(0.25, seconds / 12)),
    ):
        producers = in_threads(list(promises.errands), promises, _PRODUCERS)
        while any(producer.is_alive() for producer in producers):
            stage.reconcile()
            time.sleep(_SWEEP_EVERY)
    try:
        drain(stage, limit)
    except Stuck as stuck:
        promises.broken.append(str(stuck))
    stage.put_clocks_right()
    found = gather(stage, name)
    report = Report(injected=breaker.injected, hits=stage.hits - hits, runs=1)
    report.verdict = judge(found, promises, stage.callbacks.told)
    report.verdict.broken += forbidden(found, scenario)
    if wrong := stage.rejections - rejections:
        report.verdict.broken.append(f"{name}: {wrong} signatures of QStash were rejected")
    report.deliveries = stage.starts[WORKER] - deliveries
    return report, promises


@contextmanager
def acting(stage: Stage, promises: Promises, name: str, pace: float) -> Iterator[None]:
    """Owners replay and schedules fire while the block runs."""
    owners = [
        Owner(replayer(stage, promises), promises, pace),
        Owner(scheduler(stage, promises, name), promises, pace),
    ]
    try:
        yield
    finally:
        for owner in owners:
            owner.end()


def forbidden(found: Evidence, scenario: str, until: float = float("inf")) -> list[str]:
    """Errors recorded until then (in seconds since 1970) that this scenario must not cause."""
    return [
        f"{job.name}: an error of type {error}, which {scenario} must not cause"
        for job in found.jobs.values()
        for error, at in zip(job.row["errors"], job.row["errors_at"], strict=True)
        if error in SCENARIOS[scenario].never and at < until
    ]
