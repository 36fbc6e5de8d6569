"""Resend: signed by Svix, in `svix-id`, `svix-timestamp` and `svix-signature`."""

from __future__ import annotations

from functions.receive_webhook import json_body, keys, standard_webhooks
from functions.receive_webhook.events import LONGEST_ID, LONGEST_TYPE, Event, name_in, time_of
from functions.receive_webhook.incoming import Incoming
from shared.jobs.process_webhook import ProcessWebhook, WebhookSource


def read(request: Incoming) -> Event:
    """The event. Raises InvalidSignature, Refused or InvalidJob."""
    keys.current(lambda: standard_webhooks.verify(request, keys.of("RESEND_WEBHOOK_SECRETS"), prefix="svix"))
    body = json_body.read(request.body)
    event_id = name_in(request.headers, "svix-id", LONGEST_ID)
    kind = name_in(body.data, "type", LONGEST_TYPE)
    at = time_of(body.data.get("created_at"))
    job = ProcessWebhook(
        source=WebhookSource.RESEND, event=kind, data=body.data, event_id=event_id, occurred_at=at
    )
    return Event(source="resend", id=event_id, type=kind, body=body, occurred_at=at, job=job)
