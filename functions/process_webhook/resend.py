"""Resend's events: what became of each mail, and which addresses are not to be mailed again.

Events come late, twice and in any order. So a mail's status is the furthest it came by the order in `STATUSES`, and each
status has the time of its first event: the same rows, however they arrive.
"""

from __future__ import annotations

from datetime import datetime
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, ValidationError

from shared.database import Connection
from shared.envelope import problems
from shared.jobs.process_webhook import ProcessWebhook
from shared.webhook_events import Ignored, InvalidEvent, Processed
from shared.worker import Job

_SQL = Path(__file__).parent / "sql"
_RECORD = (_SQL / "record_delivery.sql").read_bytes()
_SUPPRESS = (_SQL / "suppress.sql").read_bytes()

STATUSES = ["queued", "sent", "delayed", "delivered", "opened", "clicked", "failed", "bounced", "complained"]
_STATUS_OF = {
    "email.sent": "sent",
    "email.delivery_delayed": "delayed",
    "email.delivered": "delivered",
    "email.opened": "opened",
    "email.clicked": "clicked",
    "email.failed": "failed",
    "email.bounced": "bounced",
    "email.complained": "complained",
}


def _address(text: str) -> str:
    address = parseaddr(text)[1]
    local, at, host = address.partition("@")
    if not (local and at and host) or "@" in host or any(each.isspace() for each in address):
        raise ValueError("Input should be an address")
    return address


class _Bounce(BaseModel):
    """Why a mail was not taken. Resend tells of permanent bounces unless it says otherwise."""

    type: str = "Permanent"
    message: str | None = None


class _Failure(BaseModel):
    reason: str | None = None


class _Mail(BaseModel):
    """What of an event's `data` is used."""

    email_id: str = Field(min_length=1, max_length=255)
    to: list[Annotated[str, AfterValidator(_address)]] = Field(min_length=1)
    created_at: AwareDatetime | None = None
    bounce: _Bounce = _Bounce()
    failed: _Failure = _Failure()


class _Body(BaseModel):
    """A whole event."""

    created_at: AwareDatetime | None = None
    data: _Mail


def apply_resend_event(connection: Connection, job: Job[ProcessWebhook]) -> Processed | Ignored:
    """Note how far the mail came, and suppress its address where it bounced for good or complained."""
    status = _STATUS_OF.get(job.payload.event)
    if status is None:
        return Ignored(f"{job.payload.event} says nothing about a mail's delivery")
    body = _read(job.payload.data)
    at = job.payload.occurred_at or body.created_at or job.created_at
    detail = _detail(status, body.data)
    _record(connection, body.data, status, detail, at)
    if _is_final(status, body.data):
        _suppress(connection, body.data.to[0], status, detail, at)
    return Processed()


def _read(data: dict[str, Any]) -> _Body:
    """The event, which may have come as its `data` alone."""
    try:
        return _Body.model_validate(data if "data" in data else {"data": data})
    except ValidationError as error:
        words = "; ".join(f"{field}: {what}" for field, what in problems(error))
        raise InvalidEvent(f"this is no event about a mail: {words}") from None


def _detail(status: str, mail: _Mail) -> str | None:
    match status:
        case "bounced":
            return mail.bounce.message or f"{mail.bounce.type} bounce"
        case "complained":
            return "marked as spam by the recipient"
        case "failed":
            return mail.failed.reason or "Resend could not send it"
    return None


def _is_final(status: str, mail: _Mail) -> bool:
    """Whether its address is to be left alone. Of several recipients Resend does not say whose server it was."""
    bounced = status == "bounced" and mail.bounce.type.lower() == "permanent"
    return (bounced or status == "complained") and len(mail.to) == 1


def _record(connection: Connection, mail: _Mail, status: str, detail: str | None, at: datetime) -> None:
    values = {
        "provider_id": mail.email_id,
        "recipient": mail.to[0],
        "status": status,
        "statuses": STATUSES,
        "detail": detail,
        "queued_at": mail.created_at or at,
        "at": at,
    }
    connection.execute(_RECORD, values)


def _suppress(connection: Connection, address: str, reason: str, detail: str | None, at: datetime) -> None:
    values = {"email": address, "reason": reason, "detail": detail, "at": at}
    connection.execute(_SUPPRESS, values)
