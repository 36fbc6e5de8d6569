"""Tells a person something over the channels they prefer; what the law wants told, over all that reach them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from functions.send_notification import recipients
from functions.send_notification.channels import CHANNELS, Told
from functions.send_notification.notices import Notice, compose
from functions.send_notification.recipients import Recipient
from functions.send_notification.records import record
from shared import database
from shared.emails.sending import EmailDeferred
from shared.envelope import WireModel
from shared.jobs.send_notification import NotificationType, SendNotification
from shared.outcomes import Cancel, Complete, Fail, Retry
from shared.settings import DispatcherSettings, EmailSettings, PayloadKeySettings
from shared.worker import Job, job_worker


class Notified(WireModel):
    """The job's result: what became of the notice on each channel."""

    channels: dict[str, str]


class PutOff(WireModel):
    """The job's result in quiet hours: when the next job will tell."""

    put_off_until: datetime


@job_worker(SendNotification, needs=[EmailSettings, DispatcherSettings, PayloadKeySettings])
def handler(job: Job[SendNotification]) -> Notified | Complete | Retry | Cancel | Fail:
    """Tell the recipient; a redelivery of the same run tells nothing twice."""
    if job.organization_id is None:
        return Fail("send-notification tells people of an organization: enqueue it with organization_id")
    recipient = database.run(lambda connection: recipients.find(connection, job, datetime.now(UTC)))
    if recipient is None:
        return Fail("the organization has no such recipient")
    try:
        return _tell(job, recipient)
    except EmailDeferred as error:
        if error.retry_after is None:
            raise  # QStash backs off
        return Retry(after=error.retry_after, reason="Resend asked to be tried later")


def _tell(job: Job[SendNotification], recipient: Recipient) -> Notified | Complete | Cancel | Fail:
    if job.payload.type is NotificationType.ADVERSE_ACTION:
        return _tell_by_law(job, recipient)
    if job.payload.type in recipient.muted_types or not recipient.channels:
        return Cancel(f"the recipient does not want to be told: {job.payload.type}")
    if recipient.quiet_until is not None:
        return _put_off(job, recipient.quiet_until)
    notice = compose(job.payload, recipient)
    told = _tell_over(recipient.channels, job, recipient, notice)
    return _conclude(job, recipient, notice, told)


def _tell_by_law(job: Job[SendNotification], recipient: Recipient) -> Notified | Fail:
    """In the app at once and for good, whatever becomes of the mail; and by mail, or an operator has to."""
    notice = compose(job.payload, recipient)
    shown = _tell_over(["in_app"], job, recipient, notice)
    database.run(lambda connection: record(connection, job, recipient, notice, shown))
    mailed = _tell_over(["email"], job, recipient, notice)
    return _conclude(job, recipient, notice, shown | _no_excuse(mailed))


def _no_excuse(told: dict[str, Told]) -> dict[str, Told]:
    """What is otherwise skipped has failed."""
    return {
        channel: replace(outcome, status="failed") if outcome.status == "skipped" else outcome
        for channel, outcome in told.items()
    }


def _tell_over(
    channels: Iterable[str], job: Job[SendNotification], recipient: Recipient, notice: Notice
) -> dict[str, Told]:
    """Those that have not told yet, the mail last, since it alone may have to wait. Raises EmailDeferred."""
    told: dict[str, Told] = {}
    try:
        for channel in sorted(set(channels) - set(recipient.told_over), key=lambda each: each == "email"):
            told[channel] = CHANNELS[channel](notice, recipient, _idempotency_key(job))
    except EmailDeferred:
        # On its own: the attempt is undone, and whatever becomes of the mail, the other channels have told.
        database.run(lambda connection: record(connection, job, recipient, notice, told))
        raise
    return told


def _conclude(
    job: Job[SendNotification], recipient: Recipient, notice: Notice, told: dict[str, Told]
) -> Notified | Fail:
    failures = [
        f"{channel}: {outcome.error}" for channel, outcome in told.items() if outcome.status == "failed"
    ]
    if failures:
        # On its own: a dead letter's transaction is undone, and what got through on other channels must stay.
        database.run(lambda connection: record(connection, job, recipient, notice, told))
        return Fail(
            f"not told over {'; '.join(failures)}: mend it and retry the job, or reach them another way"
        )
    with job.transaction() as connection:
        record(connection, job, recipient, notice, told)
    return Notified(channels={channel: outcome.status for channel, outcome in told.items()})


def _put_off(job: Job[SendNotification], until: datetime) -> Complete:
    """Another job tells when the quiet hours are over: a night must not use up attempts."""
    from shared.dispatcher import JobRequest  # noqa: PLC0415  # few runs are in somebody's quiet hours

    later = JobRequest(
        job.payload, user_id=job.user_id, organization_id=job.organization_id, not_before=until
    )
    return Complete(PutOff(put_off_until=until), then=[later])


def _idempotency_key(job: Job[SendNotification]) -> str:
    """The job's id, and from the second run on its number: a replay may carry a corrected payload."""
    return str(job.id) if job.run == 1 else f"{job.id}-{job.run}"
