"""What a worker answers to QStash, and (after its "Retry" page) what QStash makes of it.

2xx ends the message, 489 with a header ends it as a dead letter, anything else is delivered again: after
`Retry-After` where that is given, else after QStash's own growing delay.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP response."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_event(self) -> dict[str, Any]:
        """As a function URL takes it."""
        headers = {"Content-Type": "application/json", **self.headers}
        return {"statusCode": self.status, "headers": headers, "body": json.dumps(self.body)}


def done(**body: Any) -> Answer:
    """The job has ended well, or no longer matters."""
    return Answer(200, {"ok": True, **body})


def duplicate() -> Answer:
    """This delivery's work was done by another."""
    return done(duplicate=True)


def failed_attempt(error: str) -> Answer:
    """The attempt failed; QStash's own delay decides when the next comes."""
    return Answer(500, {"error": error})


def dead_letter(error: str) -> Answer:
    """The job has failed; no further delivery may come."""
    return Answer(489, {"error": error}, {"Upstash-NonRetryable-Error": "true"})


def not_now(error: str, retry_after: float | None = None) -> Answer:
    """Deliver again, after so many seconds where given."""
    headers = {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))}
    return Answer(503, {"error": error}, headers)


def unauthorized() -> Answer:
    """The request is not QStash's; the reason is in our log only."""
    return Answer(401, {"error": "unauthorized"})
