"""What went wrong, in words that fit into a row, a log line and an answer, and give no data away."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

import psycopg

_LONGEST_MESSAGE, _LONGEST_TRACEBACK = 2_000, 8_000  # characters


@dataclass(frozen=True, slots=True)
class Failure:
    """What an exception becomes: an attempt to be recorded as failed."""

    type: str
    message: str
    traceback: str | None = None


def describe(error: BaseException) -> Failure:
    """An exception as the failure it is recorded as."""
    lines = [cut(line) for line in traceback.format_exception(error)]
    return Failure(type(error).__name__, words(error), "".join(lines)[-_LONGEST_TRACEBACK:])


def words(error: BaseException) -> str:
    """What an error says of itself; of Postgres's only the first line, since the rest quotes the data."""
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        return error.diag.message_primary
    try:
        return cut(str(error)) or type(error).__name__
    except Exception:  # noqa: BLE001  # a __str__ of the handler's own
        return type(error).__name__


def cut(text: str) -> str:
    """A text of bounded length: it goes into a row, a log line and an answer."""
    return (
        text
        if len(text) <= _LONGEST_MESSAGE
        else f"{text[:_LONGEST_MESSAGE]} … ({len(text)} characters in all)"
    )
