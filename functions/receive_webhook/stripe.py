"""Stripe: `Stripe-Signature`, verified by Stripe's own SDK."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stripe import SignatureVerificationError, WebhookSignature

from functions.receive_webhook import json_body, keys
from functions.receive_webhook.events import LONGEST_ID, LONGEST_TYPE, Event, name_in, time_of
from functions.receive_webhook.incoming import Incoming
from functions.receive_webhook.json_body import Body
from shared.errors import InvalidSignature
from shared.jobs.process_stripe_webhook import HANDLED, ProcessStripeWebhook

TOLERANCE = 300  # seconds that a signature may be old


def read(request: Incoming) -> Event:
    """The event. Raises InvalidSignature, Refused or InvalidJob."""
    keys.current(lambda: _verify(request, keys.of("STRIPE_WEBHOOK_SECRETS")))
    body = json_body.read(request.body)
    kind = name_in(body.data, "type", LONGEST_TYPE)
    is_handled = kind in HANDLED
    return Event(
        source="stripe",
        id=name_in(body.data, "id", LONGEST_ID),
        type=kind,
        body=body,
        occurred_at=time_of(body.data.get("created")),
        job=_job(body, request) if is_handled else None,
        ignored=None if is_handled else f"{kind} is not handled",
    )


def _job(body: Body, request: Incoming) -> ProcessStripeWebhook:
    content = body.data.get("data")
    fields: dict[str, Any] = {
        "event_type": body.data.get("type"),
        "event_id": body.data.get("id"),
        "created": body.data.get("created"),
        "event_data": content.get("object") if isinstance(content, dict) else None,
        "ip_address": request.ip,
    }
    return ProcessStripeWebhook(**fields)


def _verify(request: Incoming, secrets: Sequence[str]) -> None:
    header, reasons = request.headers.get("stripe-signature"), []
    for secret in secrets:
        try:
            WebhookSignature.verify_header(request.body, header, secret, TOLERANCE)
        except SignatureVerificationError as error:
            reasons.append(str(error))
        except (ValueError, TypeError) as error:  # a body that is no text, a signature that is no ASCII
            reasons.append(f"{type(error).__name__} in {'the body' if header else 'the header'}")
        else:
            return
    raise InvalidSignature("; ".join(dict.fromkeys(reasons)))
