"""Resend's events about one mail."""

from __future__ import annotations

import uuid
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

_MORE: dict[str, dict[str, Any]] = {
    "email.bounced": {
        "bounce": {
            "message": "The recipient's email address does not exist.",
            "subType": "General",
            "type": "Permanent",
        }
    },
    "email.failed": {"failed": {"reason": "reached_daily_quota"}},
    "email.opened": {"open": {"ipAddress": "203.0.113.7", "userAgent": "Mozilla/5.0"}},
    "email.clicked": {
        "click": {
            "ipAddress": "203.0.113.7",
            "link": "https://app.example.com/start",
            "userAgent": "Mozilla/5.0",
        }
    },
}
TYPES = (
    "email.sent", "email.delivered", "email.delivery_delayed", "email.opened", "email.clicked", "email.failed",
    "email.bounced", "email.complained",
)  # fmt: skip


def event(
    kind: str = "email.bounced",
    *,
    to: str = "ada@example.com",
    email_id: str | None = None,
    at: datetime | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """An event of this type; `changes` are to its `data`."""
    now = at or datetime.now(UTC)
    data = {
        "broadcast_id": None,
        "created_at": (now - timedelta(seconds=2)).isoformat(),
        "email_id": email_id or str(uuid.uuid4()),
        "from": "Acme <hello@example.com>",
        "to": [to],
        "subject": "Willkommen bei Acme – schön, dass Sie da sind ✨",
        "tags": {"category": "welcome"},
    }
    created_at = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"type": kind, "created_at": created_at, "data": data | deepcopy(_MORE.get(kind, {})) | changes}
