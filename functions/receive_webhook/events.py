"""An event as its source has read it from a request, and the fields that all sources have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from functions.receive_webhook.answers import Refused
from functions.receive_webhook.json_body import Body
from shared.envelope import Payload

LONGEST_ID = 200  # an idempotency key holds the source and the sender's name too
LONGEST_TYPE = 255
_NAME = re.compile(r"[!-~]([ -~]*[!-~])?")  # printable ASCII
_FIRST_SECOND, _LAST_SECOND = 0, 2**33  # 1970 to 2242


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, its signature verified. It becomes `job`, or is kept as ignored for that reason."""

    source: str
    name: str = ""
    id: str
    type: str
    body: Body
    occurred_at: datetime | None = None
    job: Payload | None = None
    ignored: str | None = None
    organization_id: int | None = None

    @property
    def idempotency_key(self) -> str:
        """The event's id; before it who sent it, where one job type has the events of several senders."""
        if self.source == "stripe":
            return self.id
        return ":".join(part for part in (self.source, self.name, self.id) if part)


def name_in(values: Mapping[str, Any], field: str, longest: int) -> str:
    """An id or a type. Raises Refused with 400 where it is missing or none."""
    value = values.get(field)
    if not isinstance(value, str) or not value:
        raise Refused(400, f"{field}: is missing, or no text")
    if len(value) > longest or not _NAME.fullmatch(value):
        raise Refused(400, f"{field}: must be printable ASCII of at most {longest} characters")
    return value


def time_of(value: object) -> datetime | None:
    """When a sender says it was, in Unix seconds or ISO 8601 with a zone; None where it says nothing of the kind."""
    try:
        at = _parsed(value)
        return at if at is not None and _FIRST_SECOND <= at.timestamp() < _LAST_SECOND else None
    except (ValueError, OverflowError, OSError):
        return None


def _parsed(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, int):
        return datetime.fromtimestamp(value, UTC)
    at = datetime.fromisoformat(value)
    return at.astimezone(UTC) if at.tzinfo is not None else None
