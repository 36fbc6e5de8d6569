"""Stripe's events have a job of their own, which also keeps their rows in app.webhook_events."""

from __future__ import annotations

from typing import Any

from shared.envelope import WireModel
from shared.errors import InvalidJob
from shared.jobs.process_webhook import ProcessWebhook
from shared.outcomes import Complete, Fail
from shared.worker import Job


class HandedOver(WireModel):
    """The job's result for an event of Stripe: a process-stripe-webhook job applies it."""

    event_id: str
    status: str = "handed over"


def hand_over(job: Job[ProcessWebhook]) -> Complete | Fail:
    """Queue the job for the event, in the transaction that ends this one."""
    from shared.jobs.process_stripe_webhook import ProcessStripeWebhook  # noqa: PLC0415  # only Stripe's events

    try:
        payload = ProcessStripeWebhook(**_fields(job))
    except InvalidJob as error:
        return Fail(f"this is no event of Stripe: {error}")
    return Complete(HandedOver(event_id=payload.event_id), then=[payload])


def _fields(job: Job[ProcessWebhook]) -> dict[str, Any]:
    """From the event itself where it came whole, else from what came beside its object."""
    payload, data = job.payload, job.payload.data
    if data.get("object") == "event":
        return {
            "event_type": data.get("type", payload.event),
            "event_id": data.get("id", payload.event_id),
            "created": data.get("created"),
            "event_data": (data.get("data") or {}).get("object"),
        }
    return {
        "event_type": payload.event,
        "event_id": payload.event_id or str(job.id),
        "created": int((payload.occurred_at or job.created_at).timestamp()),
        "event_data": data,
    }
