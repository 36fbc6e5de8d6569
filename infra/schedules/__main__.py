"""`python -m infra.schedules`: bring the schedules that template.yaml declares to QStash. `--dry-run` only tells.

`--check` asks nobody and only says whether QStash could keep them.
Exit codes: 0, QStash has what is declared (or the difference was told); 1, it has not, and the message says why;
2, the command was given or configured wrong, and nothing was changed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.schedules.applying import apply
from infra.schedules.changes import Change
from infra.schedules.checking import check
from infra.schedules.stack import StackUnknown, deployed, local
from infra.schedules.template import InvalidSchedules
from infra.template import ROOT, Template
from shared.errors import MissingSettings, PublishFailed, PublishRejected, SecretUnavailable

_SIGNS = {"create": "+", "update": "~", "delete": "-"}


def main(arguments: Sequence[str]) -> int:
    """Apply or tell; the exit code."""
    asked = _arguments(arguments)
    if asked.check:
        return _check(Template(asked.template))
    try:
        stack = deployed(asked.env) if asked.env else local()
    except StackUnknown as error:
        return _fail(str(error), 2)
    try:
        found = apply(stack, Template(asked.template), dry_run=asked.dry_run, announce=_tell)
    except MissingSettings as error:
        return _fail(str(error), 2)
    except (InvalidSchedules, SecretUnavailable, PublishRejected, PublishFailed) as error:
        return _fail(f"the schedules of {stack.name} are not as declared: {error}", 1)
    if asked.dry_run:
        print(f"{stack.name}: {len(found)} to change; this was a dry run")
    else:
        print(f"{stack.name}: {f'{len(found)} changed' if found else 'all as declared, nothing to change'}")
    return 0


def _check(template: Template) -> int:
    try:
        count = check(template)
    except InvalidSchedules as error:
        return _fail(f"the template's schedules are wrong, a deployment would fail:\n{error}", 1)
    print(f"{count} schedules, all such that QStash can keep them")
    return 0


def _arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m infra.schedules", description="Bring the schedules of template.yaml to QStash."
    )
    parser.add_argument("--env", help="an environment of samconfig.toml; without it, the running make dev")
    parser.add_argument("--dry-run", action="store_true", help="tell what differs and change nothing")
    parser.add_argument("--check", action="store_true", help="only check the template, for every environment")
    parser.add_argument("--template", type=_file, default=ROOT / "template.yaml", help="another template")
    return parser.parse_args(arguments)


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is not a file")
    return path


def _tell(change: Change) -> None:
    about = f": {', '.join(change.differs)}" if change.differs else ""
    paused = " (stays paused)" if change.paused else ""
    print(f"{_SIGNS[change.action]} {change.action} {change.schedule_id}  {change.cron}{about}{paused}")


def _fail(message: str, code: int) -> int:
    print(f"✗ {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
