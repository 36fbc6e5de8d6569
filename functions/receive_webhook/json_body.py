"""A body as JSON that Postgres and a job can hold: whatever is not, is refused before anything is written."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from functions.receive_webhook.answers import Refused

DEEPEST = 150  # levels; a job's JSON may have 200, and is the body with more around it
_MOST_DIGITS = 400
_TOO_DEEP = f"the body is nested more than {DEEPEST} levels deep"
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # escaped by JSON, and not by the text itself


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON object: as the sender wrote it, and what it says."""

    text: str
    data: dict[str, Any]


def read(raw: bytes) -> Body:
    """The body, UTF-8. Raises Refused with 400, which says what is wrong with it."""
    try:
        return parse(raw.decode())
    except UnicodeDecodeError as error:
        raise Refused(400, f"the body is not UTF-8: byte {error.start}") from None


def parse(text: str) -> Body:
    """A text as JSON. Raises Refused as `read` does."""
    try:
        data = json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_refuse_constant)
    except RecursionError:
        raise Refused(400, _TOO_DEEP) from None
    except ValueError as error:
        raise Refused(400, f"the body is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise Refused(400, "the body must be a JSON object")
    _require_shallow(data)
    _require_text(text, data)
    return Body(text, data)


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("a number is too large")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number) or len(digits) > _MOST_DIGITS:
        raise ValueError("a number is too large")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _require_shallow(data: dict[str, Any]) -> None:
    level: list[Any] = [data]
    for _depth in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    if level:
        raise Refused(400, _TOO_DEEP)


def _require_text(text: str, data: dict[str, Any]) -> None:
    """Neither NUL, which Postgres cannot store, nor half of a surrogate pair, which is no text."""
    if _NUL.search(text):
        raise Refused(400, "the body holds a NUL character (\\u0000), which cannot be stored")
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Refused(400, "the body holds half of a surrogate pair, which is no text") from None
