"""What a run can end as. A handler returns one of these; any other value means `Complete(value)`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

ONE_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Complete:
    """The job is done; `result` is stored (JSON-ready data, a pydantic model or a dataclass).

    `then` are the next jobs, payloads or JobRequests: they are accepted in the same transaction as `completed`, or not
    at all, and published right after. A plain payload belongs to this job's user and organization.

        Complete({"rows": 17}, then=[SendEmail(to="ada@example.com", data=WelcomeData(name="Ada"))])
    """

    result: Any = None
    then: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: try again `after` so many seconds (at most a day, which is as far as QStash follows a Retry-After).

    Counts as an attempt: with none left the job fails. Raises ValueError if `after` is no span of time.

        Retry(after=60, reason="the provider asked us to slow down")
    """

    after: float | timedelta
    reason: str = "the handler asked for a retry"

    def __post_init__(self) -> None:
        after = self.after.total_seconds() if isinstance(self.after, timedelta) else self.after
        if not isinstance(after, int | float) or isinstance(after, bool) or math.isnan(after):  # type: ignore[redundant-expr]
            raise ValueError(f"Retry(after=…) takes seconds or a timedelta, not {self.after!r}")

    @property
    def seconds(self) -> float:
        """The delay in seconds, within 0 and a day."""
        after = self.after.total_seconds() if isinstance(self.after, timedelta) else self.after
        return min(max(after, 0.0), ONE_DAY)


@dataclass(frozen=True, slots=True)
class Cancel:
    """The job has become pointless; it ends as cancelled, with this reason as its error.

    Cancel("the listing was taken down meanwhile")
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The job can never succeed: it becomes a dead letter at once, without further attempts.

    The reason is kept and shown, of a sensitive job too.

        Fail("the provider does not know this account")
    """

    reason: str


Outcome = Complete | Retry | Cancel | Fail
