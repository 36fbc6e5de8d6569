"""The senders that the local cloud knows, each signing with its own key there: `local_senders.github("push", payload)`."""

from __future__ import annotations

from infra.webhooks import local_secrets
from infra.webhooks.signing import (
    Content,
    Request,
    as_github,
    as_plain_sender,
    as_resend,
    as_sender,
    as_stripe,
)


def stripe(event: Content, *, at: float | None = None) -> Request:
    """Stripe's endpoint."""
    return as_stripe(event, local_secrets.STRIPE, at=at)


def resend(event: Content, *, message_id: str | None = None, at: float | None = None) -> Request:
    """Resend's webhook."""
    return as_resend(event, local_secrets.RESEND, message_id=message_id, at=at)


def github(event: str, payload: Content, *, delivery: str | None = None, form: bool = False) -> Request:
    """GitHub's webhook."""
    return as_github(event, payload, local_secrets.GITHUB, delivery=delivery, form=form)


def accounting(event: Content, *, message_id: str | None = None, at: float | None = None) -> Request:
    """A custom sender that keeps to the Standard Webhooks specification."""
    return as_sender("accounting", event, local_secrets.ACCOUNTING, message_id=message_id, at=at)


def scanner(event: Content, *, secret: str = local_secrets.SCANNER) -> Request:
    """A custom sender that only knows HMAC."""
    return as_plain_sender("scanner", event, secret, header="x-scanner-signature", prefix="v0=")
