"""Sends one templated mail through Resend."""

from __future__ import annotations

from functions.send_email.suppressions import find_suppression
from shared import database
from shared.emails.deliveries import record_delivery
from shared.emails.sending import EmailDeferred, EmailRefused, send
from shared.envelope import WireModel
from shared.jobs.send_email import EmailTemplate, SendEmail
from shared.outcomes import Cancel, Fail, Retry
from shared.settings import EmailSettings
from shared.worker import Job, job_worker


class EmailSent(WireModel):
    """The job's result: Resend's id of the mail, and what it was."""

    email_id: str
    template: EmailTemplate


@job_worker(SendEmail, needs=[EmailSettings])
def handler(job: Job[SendEmail]) -> EmailSent | Retry | Cancel | Fail:
    """Send the mail; a redelivery of the same run sends nothing twice."""
    suppression = database.run(lambda connection: find_suppression(connection, job.payload.to))
    if suppression is not None:
        return Cancel(f"{job.payload.to} is suppressed: {suppression}")
    try:
        sent = send(job.payload, idempotency_key=_idempotency_key(job))
    except EmailRefused as error:
        return Fail(f"Resend refused the mail: {error}")
    except EmailDeferred as error:
        if error.retry_after is None:
            raise  # QStash backs off
        return Retry(after=error.retry_after, reason=str(error))
    with job.transaction() as connection:
        record_delivery(
            connection,
            provider_id=sent.id,
            recipient=job.payload.to,
            template=job.payload.template,
            job_id=job.id,
        )
    return EmailSent(email_id=sent.id, template=job.payload.template)


def _idempotency_key(job: Job[SendEmail]) -> str:
    """The job's id, and from the second run on its number: a replay may carry a corrected payload."""
    return str(job.id) if job.run == 1 else f"{job.id}-{job.run}"
