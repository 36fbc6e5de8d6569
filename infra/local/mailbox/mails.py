"""The mails that arrived, in bounded memory."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

MAX_MAILS = 1000
MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it was accepted."""

    id: str
    at: datetime
    request: dict[str, Any] = field(repr=False)
    idempotency_key: str | None = None

    @property
    def sender(self) -> str:
        """The From line."""
        return str(self.request["from"])

    @property
    def to(self) -> list[str]:
        """Every address it goes to."""
        return addresses(self.request.get("to"))

    @property
    def reply_to(self) -> list[str]:
        """Where answers go."""
        return addresses(self.request.get("reply_to"))

    @property
    def subject(self) -> str:
        """The subject line."""
        return str(self.request["subject"])

    @property
    def html(self) -> str:
        """The HTML form; empty if there is none."""
        return str(self.request.get("html") or "")

    @property
    def text(self) -> str:
        """The plain form; empty if there is none."""
        return str(self.request.get("text") or "")

    @property
    def tags(self) -> dict[str, str]:
        """Resend's tags, by name."""
        return {str(tag["name"]): str(tag["value"]) for tag in self.request.get("tags") or []}

    @property
    def size(self) -> int:
        """Its length, in characters of its request."""
        return len(json.dumps(self.request))

    def to_json(self) -> dict[str, Any]:
        """Everything about it, JSON-ready."""
        return {
            "id": self.id,
            "at": self.at.isoformat(),
            "from": self.sender,
            "to": self.to,
            "replyTo": self.reply_to,
            "subject": self.subject,
            "html": self.html,
            "text": self.text,
            "tags": self.tags,
            "idempotencyKey": self.idempotency_key,
        }


def addresses(value: Any) -> list[str]:
    """One address or several, as a list."""
    if value is None:
        return []
    return [value] if isinstance(value, str) else [str(each) for each in value]


class Mails:
    """The latest mails: at most a thousand, at most 64 MiB; older ones make room."""

    def __init__(self, *, max_mails: int = MAX_MAILS, max_bytes: int = MAX_BYTES) -> None:
        self._max_mails, self._max_bytes = max_mails, max_bytes
        self._mails: deque[Mail] = deque()
        self._bytes = 0
        self._by_id: dict[str, Mail] = {}
        self._by_key: dict[str, Mail] = {}

    def __iter__(self) -> Iterator[Mail]:
        """Oldest first."""
        return iter(tuple(self._mails))

    def __len__(self) -> int:
        return len(self._mails)

    def get(self, mail_id: str) -> Mail | None:
        """The mail with this id."""
        return self._by_id.get(mail_id)

    def sent_with(self, idempotency_key: str | None) -> Mail | None:
        """The mail that was accepted with this key."""
        return self._by_key.get(idempotency_key) if idempotency_key else None

    def add(self, request: dict[str, Any], idempotency_key: str | None) -> Mail:
        """Keep a new mail."""
        mail = Mail(str(uuid4()), datetime.now(UTC), request, idempotency_key)
        self._mails.append(mail)
        self._by_id[mail.id] = mail
        if idempotency_key:
            self._by_key[idempotency_key] = mail
        self._bytes += mail.size
        while len(self._mails) > 1 and (len(self._mails) > self._max_mails or self._bytes > self._max_bytes):
            self._forget_oldest()
        return mail

    def _forget_oldest(self) -> None:
        mail = self._mails.popleft()
        self._bytes -= mail.size
        del self._by_id[mail.id]
        if mail.idempotency_key:
            del self._by_key[mail.idempotency_key]
