"""Spans, moments and numbers as a person reads them, on pages and in terminals."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

_LONGEST_PRETTY = 512 * 1024  # characters
_SPANS = ((86_400 * 2, 86_400, "d"), (7_200, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))


def span(seconds: float | None) -> str:
    """A span in words: 250 ms, 3.4 s, 5 min, 2 h."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    size, unit = next((size, unit) for least, size, unit in _SPANS if seconds >= least)
    return f"{seconds / size:.0f} {unit}"


def between(begin: datetime | None, end: datetime | None) -> str:
    """The span between two moments."""
    return "–" if begin is None or end is None else span(max((end - begin).total_seconds(), 0.0))


def ago(moment: datetime | None) -> str:
    """How long ago, or how far ahead."""
    if moment is None:
        return "–"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{span(round(seconds))} ago" if seconds > 0 else f"in {span(round(-seconds))}"


def clock(moment: datetime | None) -> str:
    """The moment in UTC, to the second."""
    return "–" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def pretty(value: Any) -> str:
    """JSON as a person reads it. What is nested so deeply that it would be mostly blanks is left in one line."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_PRETTY else json.dumps(value, ensure_ascii=False, default=str)


def compact(value: Any) -> str:
    """A text as it is, and other values as JSON in one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def thousands(number: int) -> str:
    """1234567 as 1,234,567."""
    return f"{number:,}"
