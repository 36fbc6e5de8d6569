"""The one path to Resend. What it cannot deliver, it tells apart: refused for good, or not now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import resend
from resend.exceptions import NoContentError, ResendError
from resend.http_client_requests import RequestsClient

from shared.emails.rendering import render
from shared.errors import PosthasteError
from shared.jobs.send_email import SendEmail
from shared.secrets import refresh, secret
from shared.settings import EmailSettings

_TIMEOUT_SECONDS = 10  # to connect and again to answer: both end before the job's own 30 s do
_BAD_KEY = frozenset({"missing_api_key", "invalid_api_key", "restricted_api_key"})


@dataclass(frozen=True, slots=True)
class SentEmail:
    """What Resend accepted, by Resend's id."""

    id: str


class EmailRefused(PosthasteError):
    """Resend refuses this mail for good (HTTP 4xx); `name` is its kind of error, the message its own words."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(f"{message} ({name})")


class EmailDeferred(PosthasteError):
    """Resend did not take the mail now (429, 5xx, network): try again, after `retry_after` seconds if it said so."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


def send(email: SendEmail, *, idempotency_key: str) -> SentEmail:
    """Send a mail now, at most once per idempotency key (1 to 256 characters, remembered by Resend for 24 hours).

    Raises EmailRefused where trying again is pointless and EmailDeferred where it is not.

        >>> send(SendEmail(to="ada@example.com", data=WelcomeData(name="Ada")), idempotency_key="welcome-ada")
        ... # doctest: +SKIP
        SentEmail(id='49a3999c-0ce1-4ea6-ab68-afcd6dc2e794')
    """
    try:
        return _post(email, idempotency_key)
    except EmailRefused as refusal:
        # A key that was rotated while this process lived: read it anew, once.
        if refusal.name not in _BAD_KEY or not refresh():
            raise
        return _post(email, idempotency_key)


def _post(email: SendEmail, idempotency_key: str) -> SentEmail:
    settings = EmailSettings.load()
    resend.api_key = secret("RESEND_API_KEY")
    resend.api_url = settings.resend_base_url
    resend.default_http_client = RequestsClient(timeout=_TIMEOUT_SECONDS)
    try:
        answer = resend.Emails.send(_message(email, settings), {"idempotency_key": idempotency_key})
        return SentEmail(answer["id"])
    except ResendError as error:
        raise _told_apart(error) from error
    except (NoContentError, KeyError) as error:
        raise EmailDeferred("Resend answered without an id") from error


def _message(email: SendEmail, settings: EmailSettings) -> resend.Emails.SendParams:
    mail = render(email)
    message: resend.Emails.SendParams = {
        "from": settings.mail_from,
        "to": [email.to],
        "subject": mail.subject,
        "html": mail.html,
        "text": mail.text,
        "tags": [{"name": "template", "value": email.template.value}],
    }
    if email.reply_to:
        message["reply_to"] = [email.reply_to]
    return message


def _told_apart(error: ResendError) -> EmailRefused | EmailDeferred:
    if _may_pass(int(error.code), error.error_type):
        return EmailDeferred(f"{error.message} ({error.error_type})", _retry_after(error.headers or {}))
    return EmailRefused(error.error_type, error.message)


def _may_pass(status: int, name: str) -> bool:
    """Whether the same request can succeed later.

    `application_error` below 500 is the SDK's word for an answer that is not Resend's JSON: a proxy's.
    """
    return (
        status >= 500
        or status in (408, 429)
        or name in ("concurrent_idempotent_requests", "application_error")
    )


def _retry_after(headers: dict[str, str]) -> float | None:
    """Seconds until Resend wants to be asked again: its Retry-After, which is seconds or a date."""
    value = next((text for name, text in headers.items() if name.lower() == "retry-after"), "")
    if value.isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at - datetime.now(UTC)).total_seconds()) if at.tzinfo else None
