"""`python -m infra.cli COMMAND`, or `make jobs ARGS="COMMAND"`: see jobs and act on them, over the HTTP API.

Exit codes: 0, it was done, or all is well; 1, it was not: not found, refused, failed, unhealthy; 2, what was typed is
wrong, and nothing was changed; 3, the API cannot be reached or fails; 4, there is no key, or not the right; 130, Ctrl-C.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

import click

from infra.cli.commands import COMMANDS
from infra.cli.errors import INTERRUPTED, NotDone
from infra.cli.options import connected
from infra.cli.screen import safe
from infra.cli.session import Session

_NAME = "python -m infra.cli"
_ABOUT = """See jobs and act on them, over the HTTP API: with its rights, and recorded.

Without --env, --url or JOBS_API_URL it is the running `make dev`. The key is JOBS_API_KEY, else it is asked for.

Exit codes: 0 done; 1 not found, refused, failed or unhealthy; 2 the command is wrong; 3 the API cannot be reached or
fails; 4 no key, or not the right; 130 Ctrl-C.
"""


class _InOrder(click.Group):
    """Lists its commands in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's interface
        """Their names."""
        return list(self.commands)


@click.group(
    cls=_InOrder,
    help=_ABOUT,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@connected
def group(_session: Session) -> None:
    """Commands are added below."""


for each in COMMANDS:
    group.add_command(each)


@contextmanager
def _three_streams() -> Iterator[None]:
    """One that whoever called has closed is empty, or leads nowhere."""
    with ExitStack() as opened:
        for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
            if getattr(sys, name) is None:
                nowhere = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115  # the stack closes it
                setattr(sys, name, opened.enter_context(nowhere))
        yield


@_three_streams()
def main(arguments: Sequence[str], session: Session | None = None) -> int:
    """Run a command; the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that has not all letters
    try:
        with group.make_context(_NAME, list(arguments), obj=session or Session()) as context:
            group.invoke(context)
        sys.stdout.flush()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except BrokenPipeError:  # whoever reads has had enough
        _silence(sys.stdout)
    except OSError as error:
        if error.filename is not None:
            return _tell(f"{error.filename}: {error.strerror}", 1)
        _silence(sys.stdout)
        return _tell(
            f"the answer cannot be written ({error.strerror}). It may have been done all the same", 1
        )
    except (NotDone, click.ClickException, click.Abort, KeyboardInterrupt) as error:
        return _fail(error)
    return 0


def _fail(error: BaseException) -> int:
    """Say why; the exit code for it."""
    match error:
        case NotDone():
            return _tell(str(error), error.code)
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return error.exit_code
        case click.UsageError():
            where = error.ctx.command_path if error.ctx else _NAME
            return _tell(f"{error.format_message().rstrip('.')} ({where} --help tells more)", error.exit_code)
        case click.ClickException():
            return _tell(error.format_message(), error.exit_code)
        case _:
            if sys.stderr.isatty():
                print(file=sys.stderr)  # the line has ^C, or a question
            return _tell("stopped", INTERRUPTED)


def _tell(message: str, code: int) -> int:
    try:
        print(f"✗ {safe(' '.join(message.split()))}", file=sys.stderr, flush=True)
    except BrokenPipeError:
        _silence(sys.stderr)
    return code


def _silence(stream: TextIO) -> None:
    """What is left in its buffer goes nowhere, or Python would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
