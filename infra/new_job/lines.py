"""Where text is put into a file that people write: after a line that must be there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from infra.new_job.errors import Refused
from infra.new_job.names import Name


def after_last(
    text: str, addition: str, beginning: Callable[[Name], str], known: Sequence[Name], where: str
) -> str:
    """Put `addition` after the line of the last known job type that has one; `beginning` is how its line begins.

    Raises Refused where no known type has exactly one such line.
    """
    lines = text.splitlines(keepends=True)
    for name in reversed(known):
        found = [number for number, line in enumerate(lines) if line.startswith(beginning(name))]
        if len(found) == 1:
            return _put(lines, found[0] + 1, addition)
    raise _not_found(where, beginning(known[-1]) if known else "the line of a job type")


def before(text: str, addition: str, beginning: str, where: str) -> str:
    """Put `addition` before the one line that begins so. Raises Refused where there is not exactly one."""
    lines = text.splitlines(keepends=True)
    found = [number for number, line in enumerate(lines) if line.startswith(beginning)]
    if len(found) != 1:
        raise _not_found(where, beginning)
    return _put(lines, found[0], addition)


def after_block(text: str, addition: str, keys: Sequence[str], where: str) -> str:
    """Put `addition`, a block of YAML, after the block of the last of these keys that is there.

    Raises Refused where none is.
    """
    lines = text.splitlines(keepends=True)
    for key in reversed(keys):
        found = [number for number, line in enumerate(lines) if line.rstrip() == f"{key}:"]
        if len(found) == 1:
            return _put(lines, _end_of_block(lines, found[0]), addition)
    raise _not_found(where, f"{keys[-1]}:" if keys else "the function of a job type")


def _end_of_block(lines: Sequence[str], start: int) -> int:
    """The number of the line after the last one that is indented deeper than the first."""
    depth = _indent(lines[start])
    end = start + 1
    for number in range(start + 1, len(lines)):
        if lines[number].strip() and _indent(lines[number]) <= depth:
            break
        if lines[number].strip():
            end = number + 1
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _put(lines: list[str], at: int, addition: str) -> str:
    return "".join([*lines[:at], addition, *lines[at:]])


def _not_found(where: str, beginning: str) -> Refused:
    return Refused(
        f"{where} has no line to go by that begins with {beginning.strip()!r}, or several: put it back, or add the job "
        "type by hand as docs/creating-jobs.md lists it"
    )
