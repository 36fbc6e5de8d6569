"""`python -m tests.chaos --deliveries 2000 --seed 7`: chaos until so many deliveries have been made, and a table."""

# ruff: noqa: T201  # its output is its result
from __future__ import annotations

import argparse
import logging
import random
import shlex
import sys
import time

from infra.template import ROOT
from tests.chaos.faults import SCENARIOS
from tests.chaos.run import Report, run
from tests.chaos.stage import Stage

_JOBS, _SECONDS = 150, 8.0  # of one run
_LIMIT = 90.0  # seconds that a run's healing may take
_LOG = ROOT / ".local" / "chaos" / "log.txt"  # the last lines of functions and QStash
_ORDER = ["all", *SCENARIOS]  # without --scenario: one after the other, all of it at once twice as often


def main() -> int:
    """1 if any invariant is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--deliveries", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--scenario", choices=SCENARIOS, default=None)
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    logging.getLogger("posthaste").setLevel(logging.CRITICAL)  # producers complain, as they should
    started = time.monotonic()
    total = _run_all(seed, options)
    print(f"\n{_command(seed, options)}\n{time.monotonic() - started:.0f} s\n\n{total.table()}")
    for violation in total.verdict.violations:
        print(violation)
    return 1 if total.verdict.violations else 0


def _run_all(seed: int, options: argparse.Namespace) -> Report:
    total = Report()
    with Stage(ROOT / ".local" / "chaos") as stage:
        while total.deliveries < options.deliveries:
            scenario = options.scenario or _ORDER[total.runs % len(_ORDER)]
            report = run(
                stage, scenario, f"{seed}-{total.runs}-{scenario}", jobs=_JOBS, seconds=_SECONDS, limit=_LIMIT
            )
            total.add(report)
            print(_progress(total, scenario, report), flush=True)
            if report.verdict.violations:
                break
        _LOG.write_text("\n".join(stage.lines))
    return total


def _progress(total: Report, scenario: str, report: Report) -> str:
    faults = sum(report.injected.values())
    return (
        f"run {total.runs} ({scenario}): {report.verdict.accepted} jobs, {report.deliveries} deliveries, {faults} faults, "
        f"healed in {report.longest_heal:.1f} s; {total.deliveries} deliveries so far, "
        f"{len(total.verdict.violations)} violations"
    )


def _command(seed: int, options: argparse.Namespace) -> str:
    command = ["python", "-m", "tests.chaos", "--deliveries", str(options.deliveries), "--seed", str(seed)]
    return shlex.join([*command, *(["--scenario", options.scenario] if options.scenario else [])])


if __name__ == "__main__":
    sys.exit(main())
