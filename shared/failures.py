"""What went wrong, in words that fit into a row, a log line and an answer, and give no data away."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

_LONGEST_MESSAGE, _LONGEST_TRACEBACK = 2_000, 8_000  # characters
_LONGEST_CHAIN = 20
WITHHELD = "what a sensitive job's error says is not kept"


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


def outline(error: BaseException, message: str | None = None) -> Failure:
    """A sensitive job's exception: its type and where it was raised. What it says may quote the payload.

    `message` is what is said instead, where somebody knows what may be.
    """
    name = type(error).__name__
    lines = [cut(line) for line in _frames(error, set())]
    return Failure(name, message or f"{name} ({WITHHELD})", "".join(lines)[-_LONGEST_TRACEBACK:])


def _frames(error: BaseException, seen: set[int]) -> Iterator[str]:
    """As Python prints a traceback, of its causes too, without what any of them says and without their notes."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    parts = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    seen.add(id(error))
    for each in (*parts, *((cause,) if cause is not None else ())):
        if id(each) not in seen and len(seen) < _LONGEST_CHAIN:
            yield from _frames(each, seen)
            yield "\nwhich led to:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__name__}\n"


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
