"""Applies an event received from Resend, GitHub or a custom sender; hands Stripe's to the job for them."""

from __future__ import annotations

from collections.abc import Callable

from functions.process_webhook.custom import apply_custom_event
from functions.process_webhook.github import apply_github_event
from functions.process_webhook.resend import apply_resend_event
from functions.process_webhook.stripe import hand_over
from shared.database import Connection
from shared.jobs.process_webhook import ProcessWebhook, WebhookSource
from shared.outcomes import Complete, Fail
from shared.settings import DispatcherSettings
from shared.webhook_events import Ignored, Processed, WebhookEvent, apply_once
from shared.worker import Job, job_worker

Apply = Callable[[Connection, Job[ProcessWebhook]], Processed | Ignored]
_APPLY: dict[WebhookSource, Apply] = {
    WebhookSource.RESEND: apply_resend_event,
    WebhookSource.GITHUB: apply_github_event,
    WebhookSource.CUSTOM: apply_custom_event,
}


@job_worker(ProcessWebhook, needs=[DispatcherSettings])
def handler(job: Job[ProcessWebhook]) -> Complete | Fail:
    """Apply the event once, however often it is delivered or sent."""
    if job.payload.source is WebhookSource.STRIPE:
        return hand_over(job)
    apply = _APPLY[job.payload.source]
    return apply_once(job, _event(job), lambda connection: apply(connection, job))


def _event(job: Job[ProcessWebhook]) -> WebhookEvent:
    return WebhookEvent(
        source=job.payload.source.value,
        name=job.payload.sender,
        event_id=job.payload.event_id or str(job.id),
        event_type=job.payload.event,
        payload=job.payload.data,
        job_id=job.id,
        occurred_at=job.payload.occurred_at,
    )
