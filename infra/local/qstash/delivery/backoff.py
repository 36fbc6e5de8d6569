"""How long to wait before a retry: the destination's wish, else the publisher's expression, else the default."""

import email.utils
import math
import re

from ..wire.durations import parse_duration
from ..wire.expressions import evaluate
from ..wire.headers import Headers, first

_DAY = 86_400.0
_ASKING_HEADERS = (
    "Retry-After",
    "X-Ratelimit-Reset",
    "X-Ratelimit-Reset-Requests",
    "X-Ratelimit-Reset-Tokens",
)
_SECONDS = re.compile(r"[0-9]{1,18}(\.[0-9]*)?")
# e^(2.5 * 5) is already more than a day, and math.exp overflows soon after.
_LAST_GROWING_RETRY = 4


def default_wait(retry: int) -> float:
    """Seconds before retry number `retry`, where 1 is the first: 12, 148, 1808, 22026, then a day each."""
    if retry > _LAST_GROWING_RETRY:
        return _DAY
    return float(math.floor(math.exp(2.5 * retry)))


def chosen_wait(expression: str | None, retried: int) -> float:
    """Seconds before the next retry after `retried` of them, by the publisher's expression or the default."""
    if expression is None:
        return default_wait(retried + 1)
    try:
        return min(_DAY, evaluate(expression, retried) / 1000)
    except ValueError:
        return default_wait(retried + 1)


def requested_wait(response: Headers, now: float) -> float | None:
    """Seconds that a response asks to wait, counted from the Unix time `now`; None where it asks for nothing usable.

    A wish longer than a day is not usable.
    """
    for name in _ASKING_HEADERS:
        wait = _parse_wait(first(response, name) or "", now)
        if wait is not None and wait <= _DAY:
            return wait
    return None


def _parse_wait(text: str, now: float) -> float | None:
    text = text.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        return parse_duration(text)
    except ValueError:
        return _parse_date(text, now)


def _parse_date(text: str, now: float) -> float | None:
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
