"""`python -m infra.new_job send_sms`: write a new job type's files and entries.

Exit codes: 0, the job type is there; 2, it cannot be, the message says why, and nothing was written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.local.console import fail, out
from infra.new_job.errors import Refused
from infra.new_job.names import Name
from infra.new_job.plan import Plan, plan
from infra.new_job.serving import is_served
from infra.new_job.wanted import Wanted
from infra.new_job.writing import write
from infra.template import ROOT

_SERVED = {
    True: "make dev serves it: open make shell anew and",
    False: "The running make dev does not serve it, its output says why. Then, in make shell:",
    None: "With make dev running, in make shell:",
}


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Plan, write and say what was done; the exit code."""
    asked = _arguments(arguments)
    try:
        wanted = Wanted(
            name=Name.of(asked.name),
            description=asked.description,
            retries=asked.retries,
            timeout=asked.timeout,
            memory=asked.memory,
            parallelism=asked.parallelism,
        )
        planned = plan(root, wanted)
        write(root, planned.changes)
    except (Refused, OSError) as error:
        fail(f"{error}. Nothing was written")
        return 2
    _tell(planned, is_served(planned.job.name.type) if root == ROOT else None)
    return 0


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make new-job", description="Write a new job type.")
    parser.add_argument("name", nargs="?", default="", help="what it is called, as send_sms")
    parser.add_argument("--description", help="what it does, in one sentence")
    parser.add_argument("--retries", type=int, help="attempts after the first; 3")
    parser.add_argument("--timeout", type=int, help="seconds for one attempt; 60")
    parser.add_argument("--memory", type=int, help="MB of its function; 512")
    parser.add_argument("--parallelism", type=int, help="how many run at once; 2")
    return parser.parse_args(arguments)


def _tell(planned: Plan, served: bool | None) -> None:
    name = planned.job.name
    written = [each for each in planned.changes if each.is_needed]
    for each in written:
        out.print(
            f"  [green]{'+' if each.before is None else '~'}[/] {each.path:<48} {each.what}", soft_wrap=True
        )
    for note in planned.notes:
        out.print(f"  [yellow]![/] {note}", soft_wrap=True)
    if not written:
        out.print(f"[green]✓[/] {name.type} is all there: nothing was changed", soft_wrap=True)
        return
    rest = len(planned.changes) - len(written)
    out.print(
        f"[green]✓[/] {name.type}: {len(written)} files written"
        + (f", {rest} were there and are as they were" if rest else "")
        + f"\nNext: what it is given, in shared/jobs/{name.module}.py, and its work, in functions/{name.module}/handler.py;"
        f"\ndocs/creating-jobs.md goes through it. {_SERVED[served]}\n"
        f"  >>> from shared.dispatcher import enqueue\n"
        f"  >>> from shared.jobs.{name.module} import {name.class_name}\n"
        f'  >>> enqueue({name.class_name}(note="hello"))',
        soft_wrap=True,
        markup=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
