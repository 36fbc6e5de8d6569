"""The hourly check: starts the reminders of applications that have been incomplete for a day."""

from __future__ import annotations

from functions.send_reminder.applications import Due, list_due
from shared.dispatcher import JobRequest, enqueue_many
from shared.envelope import WireModel
from shared.jobs.send_reminder import ReminderType, SendReminder
from shared.observability import logger
from shared.outcomes import Complete
from shared.worker import Job

_PER_RUN = 500  # applications; then another job carries on


class Checked(WireModel):
    """The check's result: how many applications' reminders it started, and whether another job goes on after it."""

    started: int
    goes_on: bool


def start_reminders(job: Job[SendReminder]) -> Complete:
    """Queue the first reminder of each application that is due, in the transaction that ends this job."""
    with job.transaction() as connection:
        due = list_due(connection, job, _PER_RUN)
        # Not by `Complete(then=…)`, which takes all or none: one that cannot be queued must not stop the others.
        accepted = enqueue_many(map(_first_reminder, due), connection=connection)
    refused = [each.error for each in accepted if each.error is not None]
    if refused:
        logger.warning("not all reminders were queued", extra={"reasons": [*map(str, refused)]})
    goes_on = len(due) == _PER_RUN
    started = len(due) - len(refused)
    return Complete(Checked(started=started, goes_on=goes_on), then=[_rest(job, due[-1])] if goes_on else [])


def _first_reminder(application: Due) -> JobRequest:
    """With a key, so that the next check, or one at the same time, starts nothing twice."""
    payload = SendReminder(
        reminder_type=ReminderType.DAY1,
        applicant_id=application.applicant_id,
        application_id=application.id,
    )
    return JobRequest(
        payload,
        user_id=application.applicant_id,
        organization_id=application.organization_id,
        idempotency_key=f"reminders-of-application-{application.id}",
    )


def _rest(job: Job[SendReminder], last: Due) -> JobRequest:
    payload = SendReminder(reminder_type=ReminderType.DAY1, after_application_id=last.id)
    return JobRequest(payload, user_id=job.user_id, organization_id=job.organization_id)
