"""The channels that a notice can take. A further provider is one more function in `CHANNELS`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from functions.send_notification.notices import Notice
from functions.send_notification.recipients import Recipient
from shared.emails.sending import EmailRefused, send
from shared.errors import InvalidJob
from shared.jobs.send_email import SendEmail


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a notice on one channel; with what failed or was skipped goes a reason, with what was sent its id."""

    status: Literal["delivered", "sent", "failed", "skipped"]
    error: str | None = None
    provider_id: str | None = None


class Channel(Protocol):
    """Tells one recipient, at most once for one key. Raises only what may pass by itself: the job is tried again."""

    def __call__(self, notice: Notice, recipient: Recipient, key: str, /) -> Told:
        """Tell them, and say what became of it."""


def show_in_app(_notice: Notice, _recipient: Recipient, _key: str) -> Told:
    """The row in app.notifications is what the app shows: there is nothing else to do."""
    return Told("delivered")


def send_mail(notice: Notice, recipient: Recipient, key: str) -> Told:
    """Through Resend, unless the address bounced or complained before. Raises EmailDeferred."""
    if recipient.suppressed:
        return Told("skipped", f"the address gets no more mails: {recipient.suppressed}")
    try:
        email = SendEmail(to=recipient.email, data=notice.mail)
    except InvalidJob:
        return Told("failed", "the address is none that takes mail")
    try:
        return Told("sent", provider_id=send(email, idempotency_key=key).id)
    except EmailRefused as refusal:  # its words may quote the mail
        return Told("failed", f"Resend refused the mail ({refusal.name})")


def not_configured(_notice: Notice, _recipient: Recipient, _key: str) -> Told:
    """Where there is no provider yet. A text message's is given `recipient.phone` and `notice.subject`."""
    return Told("skipped", "no provider is configured for this channel")


CHANNELS: dict[str, Channel] = {
    "in_app": show_in_app,
    "email": send_mail,
    "sms": not_configured,
    "push": not_configured,
}
