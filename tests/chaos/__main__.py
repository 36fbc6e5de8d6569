"""`python -m tests.chaos --deliveries 2000 --seed 7`: chaos until so many deliveries have been made, and a table."""

# ruff: noqa: T201  # its output is its result
from __future__ import annotations

import argparse
import json
import logging
import random
import re
import shlex
import sys
import time
from functools import partial
from pathlib import Path

from infra.template import ROOT
from tests.chaos.endurance import Endurance, Wave
from tests.chaos.faults import Breaker
from tests.chaos.promises import Promises
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.stage import Stage

_JOBS, _SECONDS = 1600, 40.0  # of one wave
_FOLDER = ROOT / ".local" / "chaos"
_LOG = _FOLDER / "log.txt"  # the last lines of functions and QStash
_EVIDENCE = _FOLDER / "violations.txt"
_ORDER = [each for scenario in SCENARIOS if scenario not in {"none", "all"} for each in ("all", scenario)]
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def main() -> int:
    """1 if any invariant is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--deliveries", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--scenario", choices=SCENARIOS, default=None)
    parser.add_argument("--report", type=Path, default=None, help="a file for the table, written as it grows")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    for name in ("posthaste", "psycopg"):  # producers complain, as they should
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return Run(seed, options).make()


class Run:
    """One call of this program."""

    def __init__(self, seed: int, options: argparse.Namespace) -> None:
        self._seed, self._options = seed, options
        self._started = time.monotonic()

    def make(self) -> int:
        """All of it; 1 if any invariant is broken."""
        with Stage(_FOLDER) as stage:
            run = Endurance(stage, self._seed, jobs=_JOBS, seconds=_SECONDS)
            try:
                self._make(stage, run)
            finally:
                _LOG.write_text("\n".join(stage.lines))
                self._write(run)
            violations = run.total.verdict.violations
            if violations:
                _show(stage, run, self._seed)
        print(f"\n{self._head()}\n\n{run.total.table()}")
        return 1 if violations else 0

    def _make(self, stage: Stage, run: Endurance) -> None:
        Breaker(stage, Promises(), random.Random(self._seed), "").skew_clocks()
        with run.sweeping():
            for number in range(10**6):
                if run.deliveries >= self._options.deliveries or run.total.verdict.violations:
                    break
                scenario = self._options.scenario or _ORDER[number % len(_ORDER)]
                if SCENARIOS[scenario].never:  # what the waves before it left would be put down to it
                    run.heal(partial(self._progress, run))
                run.wave(scenario)
                self._progress(run, run.judge_ripe())
            print("the load is over; what is left heals", flush=True)
            run.finish(partial(self._progress, run))

    def _progress(self, run: Endurance, judged: list[Wave]) -> None:
        for wave in judged:
            report = wave.report
            lost = report.healing.get("attempt lost")
            print(
                f"{wave.name}: {report.verdict.accepted} jobs, {report.deliveries} deliveries, "
                f"{sum(report.injected.values())} faults, {lost.count if lost else 0} attempts lost, "
                f"longest heal {lost.longest if lost else 0:.1f} s; {run.deliveries} deliveries in "
                f"{time.monotonic() - self._started:.0f} s, {len(run.total.verdict.violations)} violations",
                flush=True,
            )
        if judged:
            self._write(run)

    def _write(self, run: Endurance) -> None:
        run.count_sweeps()
        if self._options.report is not None:
            self._options.report.write_text(f"{self._head()}\n\n{run.total.table()}\n")

    def _head(self) -> str:
        options = self._options
        words = [
            "python",
            "-m",
            "tests.chaos",
            "--deliveries",
            str(options.deliveries),
            "--seed",
            str(self._seed),
        ]
        command = shlex.join([*words, *(["--scenario", options.scenario] if options.scenario else [])])
        return f"`{command}`, {time.monotonic() - self._started:.0f} s"


def _show(stage: Stage, run: Endurance, seed: int) -> None:
    """What is needed to look into it."""
    violations = run.total.verdict.violations
    print("\n".join(["", f"seed {seed}: {len(violations)} violations", *violations[:20]]))
    job_ids = list(dict.fromkeys(_UUID.findall("\n".join(violations))))[:20]
    lines = [*violations, *map(str, run.sweeps), *map(str, run.outages)]
    for table in ("job_executions", "chaos_history", "chaos_tries"):
        query = f"SELECT to_jsonb(each) AS row FROM {table} AS each WHERE job_id = ANY(%s::uuid[])"
        lines += [f"{table}: {json.dumps(row['row'])}" for row in stage.execute(query, [job_ids])]
    _EVIDENCE.write_text("\n".join(lines))
    print(f"rows of the first {len(job_ids)} jobs: {_EVIDENCE}; log: {_LOG}")


if __name__ == "__main__":
    sys.exit(main())
