"""Resend's side of `POST /emails`: what it accepts, and how it words what it does not."""

from __future__ import annotations

import re
from typing import Any

from infra.local.mailbox.mails import addresses

MAX_RECIPIENTS = 50
MAX_KEY_LENGTH = 256
_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")
_NAMED_ADDRESS = re.compile(r"[^<>\r\n]*<([^\s@<>]+@[^\s@<>]+\.[^\s@<>]+)>")
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")


class Refusal(Exception):
    """An answer other than 200, in Resend's shape."""

    def __init__(self, status: int, name: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.name, self.message, self.retry_after = status, name, message, retry_after

    def to_json(self) -> dict[str, Any]:
        """Resend's error body."""
        return {"statusCode": self.status, "name": self.name, "message": self.message}

    @property
    def headers(self) -> dict[str, str]:
        """Its Retry-After, in seconds, where it has one."""
        return {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}


def check_authorization(header: str) -> None:
    """Any bearer key will do here; none will not."""
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise Refusal(401, "missing_api_key", "Missing API Key")


def check_idempotency_key(key: str | None) -> None:
    """A key has 1 to 256 characters."""
    if key is not None and not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise Refusal(
            400,
            "invalid_idempotency_key",
            f"The key must be between 1-{MAX_KEY_LENGTH} chars. Retry with a valid one.",
        )


def check_email(request: Any) -> dict[str, Any]:
    """The request, if Resend would take it. Raises Refusal with the first thing that is wrong."""
    if not isinstance(request, dict):
        raise Refusal(422, "validation_error", "The request body must be a JSON object.")
    for name in ("from", "to", "subject"):
        if not request.get(name):
            raise Refusal(422, "missing_required_field", f"Missing `{name}` field.")
    if not (request.get("html") or request.get("text")):
        raise Refusal(422, "missing_required_field", "Missing `html` or `text` field.")
    _check_texts(request)
    _check_addresses(request)
    _check_tags(request.get("tags") or [])
    return request


def _check_texts(request: dict[str, Any]) -> None:
    for name in ("from", "subject", "html", "text"):
        if not isinstance(request.get(name, ""), str):
            raise Refusal(422, "validation_error", f"The `{name}` field must be a string.")
    if re.search(r"[\r\n]", request["subject"]):
        raise Refusal(422, "validation_error", r"The `\n` is not allowed in the `subject` field.")


def _check_addresses(request: dict[str, Any]) -> None:
    for name in ("from", "to", "cc", "bcc", "reply_to"):
        value = request.get(name)
        if not (value is None or isinstance(value, str | list)) or not all(
            map(_is_address, addresses(value))
        ):
            raise Refusal(
                422,
                "invalid_from_address" if name == "from" else "validation_error",
                f"Invalid `{name}` field. The email address needs to follow the `email@example.com` "
                "or `Name <email@example.com>` format.",
            )
    if len(addresses(request["to"])) > MAX_RECIPIENTS:
        raise Refusal(
            422, "validation_error", f"The `to` field must have at most {MAX_RECIPIENTS} addresses."
        )


def _is_address(text: str) -> bool:
    return bool(_ADDRESS.fullmatch(text) or _NAMED_ADDRESS.fullmatch(text))


def _check_tags(tags: Any) -> None:
    for tag in tags if isinstance(tags, list) else [tags]:
        texts = [tag.get("name"), tag.get("value")] if isinstance(tag, dict) else [None]
        if not all(isinstance(text, str) and _TAG.fullmatch(text) for text in texts):
            raise Refusal(
                422,
                "validation_error",
                "Tags should only contain ASCII letters, numbers, underscores, or dashes.",
            )


def stored_email(mail_id: str, request: dict[str, Any], created_at: str) -> dict[str, Any]:
    """The answer to `GET /emails/{id}`."""
    return {
        "object": "email",
        "id": mail_id,
        "to": addresses(request.get("to")),
        "from": request["from"],
        "created_at": created_at,
        "subject": request["subject"],
        "html": request.get("html"),
        "text": request.get("text"),
        "bcc": addresses(request.get("bcc")),
        "cc": addresses(request.get("cc")),
        "reply_to": addresses(request.get("reply_to")),
        "last_event": "delivered",
        "scheduled_at": request.get("scheduled_at"),
        "tags": request.get("tags") or [],
    }
