"""What is typed, read: spans, moments, JSON, job ids."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click

_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*(s|min|m|h|d|w|)")
_LONGEST = 315_360_000.0  # ten years
_DATE_OR_SECONDS = re.compile(r"[0-9]{8}")
_TOO_LARGE = 2**63


def seconds_of(text: str) -> float:
    """A span in seconds. Raises ValueError.

    >>> seconds_of("15m"), seconds_of("90")
    (900.0, 90.0)
    """
    match = _SPAN.fullmatch(text.strip().lower())
    seconds = float(match[1]) * _UNITS[match[2]] if match else -1.0
    if not 0 <= seconds <= _LONGEST:
        raise ValueError(f"{text!r} is no span: it is like 45s, 15m, 2h, 7d, or a number of seconds")
    return seconds


class Span(click.ParamType[float]):
    """A span: 45s, 15m, 2h, 7d, or a number of seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """In seconds."""
        try:
            return seconds_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Moment(click.ParamType[datetime]):
    """A time: ISO 8601 (UTC where it names no zone), or a span: so long ago, or so far ahead."""

    name = "time"

    def __init__(self, *, ahead: bool = False) -> None:
        self._direction = 1 if ahead else -1

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """With its zone."""
        if _DATE_OR_SECONDS.fullmatch(str(value).strip()):
            self.fail(f"{value!r} may be a date or seconds: write 2026-01-31, or {value}s", param, ctx)
        try:
            return datetime.now(UTC) + self._direction * timedelta(seconds=seconds_of(str(value)))
        except ValueError:
            pass
        try:
            given = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(
                f"{value!r} is no time: it is like 2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00:00+02:00, "
                "or a span like 2h",
                param,
                ctx,
            )
        return given if given.tzinfo else given.replace(tzinfo=UTC)


class Id(click.ParamType[int]):
    """The number of a user, an organization or a note."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """A positive number that Postgres holds."""
        text = str(value)
        if not (text.isascii() and text.isdecimal() and 0 < int(text) < _TOO_LARGE):
            self.fail(f"{text!r} is no id: it is a positive number", param, ctx)
        return int(text)


class JsonObject(click.ParamType[dict[str, Any]]):
    """A JSON object: itself, @file, or - for stdin."""

    name = "json|@file|-"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """As it will be sent."""
        try:
            return read_object(_text(str(value)))
        except (OSError, UnicodeDecodeError) as error:
            self.fail(f"{value} cannot be read: {error}", param, ctx)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class JobId(click.ParamType[str]):
    """A job's id."""

    name = "job_id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As the API spells it."""
        try:
            return str(UUID(str(value)))
        except ValueError:
            self.fail(f"{value!r} is no job id: it is like 01a22273-6818-7243-a784-d323ffb7aacc", param, ctx)


class JobIds(JobId):
    """A job's id, or - for those on stdin."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Those of stdin with spaces between."""
        if value != "-":
            return super().convert(value, param, ctx)
        try:
            words = sys.stdin.read().split()
        except UnicodeDecodeError:
            self.fail("stdin is no text", param, ctx)
        given = [super(JobIds, self).convert(word, param, ctx) for word in words]
        return " ".join(given)


def job_ids_of(given: tuple[str, ...]) -> list[str]:
    """Each id once, in the order given."""
    return list(dict.fromkeys(job_id for each in given for job_id in each.split()))


def read_object(text: str) -> dict[str, Any]:
    """A JSON object. Raises ValueError, which says where it is none."""
    try:
        found = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError(  # noqa: TRY004  # as all that is wrong with it
            f'it is no JSON object, which is like {{"to": "ada@example.com"}}: it is {text[:40]!r}'
        )
    return found


def _text(given: str) -> str:
    if given == "-":
        if sys.stdin.isatty():
            print("the payload as JSON, then Ctrl-D:", file=sys.stderr)
        return sys.stdin.read()
    return Path(given[1:]).read_text("utf-8") if given.startswith("@") else given


def _no_number(name: str) -> None:
    raise ValueError(f"it is no JSON: {name} is no number")
