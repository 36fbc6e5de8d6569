"""Brings subscriptions and invoices up to date with Stripe, one event at a time, in whatever order they come."""

from __future__ import annotations

from functions.process_stripe_webhook.applying import apply_event
from shared.jobs.process_stripe_webhook import ProcessStripeWebhook
from shared.outcomes import Complete, Fail
from shared.settings import AppSettings, DispatcherSettings
from shared.webhook_events import WebhookEvent, apply_once
from shared.worker import Job, job_worker


@job_worker(ProcessStripeWebhook, needs=[DispatcherSettings, AppSettings])
def handler(job: Job[ProcessStripeWebhook]) -> Complete | Fail:
    """Apply the event once, however often Stripe sends it."""
    return apply_once(job, _event(job), lambda connection: apply_event(connection, job.payload))


def _event(job: Job[ProcessStripeWebhook]) -> WebhookEvent:
    payload = job.payload
    return WebhookEvent(
        source="stripe",
        event_id=payload.event_id,
        event_type=payload.event_type,
        payload={
            "id": payload.event_id,
            "type": payload.event_type,
            "created": payload.created,
            "data": {"object": payload.event_data},
        },
        job_id=job.id,
        ip=payload.ip_address,
        occurred_at=payload.occurred_at,
    )
