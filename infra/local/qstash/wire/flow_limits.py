"""`Upstash-Flow-Control-Value`: how much of a key may happen at once, and how fast."""

import re
from dataclasses import dataclass

from .durations import parse_duration

_LONGEST_PERIOD = 7 * 86_400.0
_COUNT = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """The limits of one flow control key; None is no limit. `period` is in seconds."""

    key: str
    parallelism: int | None = None
    rate: int | None = None
    period: float = 1.0

    @property
    def says_something(self) -> bool:
        """Whether a limit was given; a bare key leaves the limits of the key as they are."""
        return self.parallelism is not None or self.rate is not None


def parse_flow_limits(key: str, text: str) -> FlowLimits:
    """The limits in `parallelism=3, rate=5, period=60s`, any subset. Raises ValueError for anything else."""
    limits: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or name.strip() not in ("parallelism", "rate", "period"):
            raise ValueError(f"unexpected {part!a}")
        limits[name.strip()] = value.strip()
    return FlowLimits(
        key,
        parallelism=parse_count(limits.get("parallelism")),
        rate=parse_count(limits.get("rate")),
        period=parse_period(limits.get("period")),
    )


def parse_count(text: str | None) -> int | None:
    """A positive whole number. Raises ValueError for anything else but None."""
    if text is None:
        return None
    if not _COUNT.fullmatch(text):
        raise ValueError(f"{text!a} is not a positive whole number")
    return int(text)


def parse_period(text: str | None) -> float:
    """Seconds of a period, one by default. Raises ValueError if it is no duration or more than a week."""
    if text is None:
        return 1.0
    # A number without a unit is seconds here, as in the SDKs' types.
    period = float(text) if _COUNT.fullmatch(text) else parse_duration(text)
    if not 0 < period <= _LONGEST_PERIOD:
        raise ValueError("the period must be positive and at most a week")
    return period
