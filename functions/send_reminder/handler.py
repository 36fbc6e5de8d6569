"""Reminds an applicant of an incomplete application, and queues the next reminder with it."""

from __future__ import annotations

from datetime import datetime

from functions.send_reminder.applications import Application, find, mark_series, record_reminder
from functions.send_reminder.check import start_reminders
from functions.send_reminder.documents import words_of
from shared.database import Connection
from shared.dispatcher import JobRequest
from shared.emails.wording import fit
from shared.envelope import WireModel
from shared.jobs.send_notification import ApplicationReminder, SendNotification
from shared.jobs.send_reminder import ReminderType, SendReminder
from shared.outcomes import Complete, Fail
from shared.settings import AppSettings, DispatcherSettings, PayloadKeySettings
from shared.worker import Job, job_worker


class Reminded(WireModel):
    """The job's result: whether the reminder was sent, or why not; and which one comes next, when."""

    application_id: int
    sent: bool
    reason: str | None = None
    next: ReminderType | None = None
    next_at: datetime | None = None


@job_worker(SendReminder, needs=[DispatcherSettings, AppSettings, PayloadKeySettings])
def handler(job: Job[SendReminder]) -> Complete | Fail:
    """Remind once and queue the next reminder, or end them; a second run does neither."""
    if job.payload.applicant_id is None:
        return start_reminders(job)
    if job.organization_id is None:
        return Fail("a reminder is of an organization's application: enqueue it with organization_id")
    with job.transaction() as connection:
        application = find(connection, job)
        if application is None:
            return Fail("the applicant has no such application")
        return _remind(connection, job, application)


def _remind(connection: Connection, job: Job[SendReminder], application: Application) -> Complete:
    this = job.payload.reminder_type
    reason = application.why_not(this)
    if reason is not None:
        mark_series(connection, job, application, ended=True)
        return Complete(Reminded(application_id=application.id, sent=False, reason=reason))
    if not record_reminder(connection, job, application):
        return Complete(Reminded(application_id=application.id, sent=False, reason=f"{this} was sent before"))
    following, at = application.reminder_after(this)
    mark_series(connection, job, application, ended=following is None)
    then = [JobRequest(_notice(application), user_id=job.user_id, organization_id=job.organization_id)]
    if following is not None:
        then.append(_reminder(job, application, following, at))
    return Complete(Reminded(application_id=application.id, sent=True, next=following, next_at=at), then=then)


def _notice(application: Application) -> SendNotification:
    return SendNotification(
        recipient_id=application.applicant_id,
        template_data=ApplicationReminder(
            listing_title=fit(application.listing_title),
            missing=[words_of(kind) for kind in application.missing],
            continue_url=f"{AppSettings.load().app_url}/applications/{application.id}",
            expires_at=application.expires_at,
        ),
    )


def _reminder(
    job: Job[SendReminder], application: Application, reminder_type: ReminderType, at: datetime | None
) -> JobRequest:
    payload = SendReminder(
        reminder_type=reminder_type,
        applicant_id=application.applicant_id,
        application_id=application.id,
    )
    return JobRequest(payload, user_id=job.user_id, organization_id=job.organization_id, not_before=at)
