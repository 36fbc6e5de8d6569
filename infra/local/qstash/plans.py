"""What an account may do. The numbers are those of the pricing page; None is no limit."""

from dataclasses import dataclass, replace
from typing import Final

_MB = 2**20
_DAY = 86_400.0

DEFAULT_MAX_RETRIES = 5
LONGEST_TIMEOUT = 7_200.0
LARGEST_REQUEST = 100 * _MB
LARGEST_ANSWER = 10 * _MB

LONGEST_LINE = _MB
"""Bytes of a request's first line, and of all of a header: as Go's HTTP server has it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The limits of an account. Times are in seconds, sizes in bytes."""

    max_retries: int | None = DEFAULT_MAX_RETRIES
    max_delay: float | None = None
    max_timeout: float = LONGEST_TIMEOUT
    max_message_size: int | None = None
    max_messages_per_day: int | None = None
    max_schedules: int | None = None
    max_queues: int | None = None
    max_url_groups: int | None = None
    max_endpoints: int | None = 100
    max_queue_parallelism: int | None = None
    max_parallelism: int | None = None
    dead_letter_retention: float | None = None
    log_retention: float | None = None

    @property
    def largest_answer(self) -> int:
        """How much of a destination's answer is read: as much as a message may hold."""
        return self.max_message_size or LARGEST_ANSWER


_PAYG = Plan(
    max_delay=365 * _DAY,
    max_message_size=10 * _MB,
    max_queues=100,
    max_url_groups=100,
    max_parallelism=100,
    dead_letter_retention=7 * _DAY,
)

_FREE = Plan(
    max_delay=7 * _DAY,
    max_timeout=900.0,
    max_message_size=_MB,
    max_messages_per_day=1_000,
    max_schedules=10,
    max_queues=10,
    max_url_groups=1,
    max_queue_parallelism=2,
    max_parallelism=10,
    dead_letter_retention=3 * _DAY,
    log_retention=3 * _DAY,
)
_ONE_MILLION = replace(
    _PAYG, max_delay=None, max_message_size=50 * _MB, max_parallelism=200, dead_letter_retention=30 * _DAY
)
_TEN_MILLION = replace(_ONE_MILLION, max_parallelism=1_000, dead_letter_retention=90 * _DAY)

PLANS: Final = {
    "none": Plan(),
    "free": _FREE,
    "payg": _PAYG,
    "1m": _ONE_MILLION,
    "10m": _TEN_MILLION,
    "pro": _TEN_MILLION,
}
"""By name. `none` limits only the retries, `pro` is what the official development server calls its larger plan."""
