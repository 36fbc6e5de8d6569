"""send-reminder: a reminder, the next one with it, and an end where there is nothing left to remind of."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.local.background import Background
from infra.local.mailbox import Mailbox
from infra.seed import Seeded
from shared.database import Connection
from shared.dispatcher import enqueue
from shared.jobs.send_notification import SendNotification
from shared.jobs.send_reminder import ReminderType, SendReminder
from shared.registry import JobType
from shared.testing import Jobs
from tests.integration.workers.conftest import Runner
from tests.integration.workers.notifying import listening_mailbox, payload_of
from tests.integration.workers.reminding import (
    applicant_of,
    application,
    change,
    following,
    remind,
    reminders,
)

DAY = timedelta(days=1)
A_MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def mailbox(background: Background, environment: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    yield from listening_mailbox(background, environment)


@pytest.fixture
def handler(mailbox: Mailbox) -> Any:
    from functions.send_reminder.handler import handler

    return handler


@pytest.fixture
def started(connection: Connection, seeded: Seeded) -> datetime:
    """A day and an hour ago: when the application was started whose applicant was not reminded yet."""
    at = datetime.now(UTC) - DAY - timedelta(hours=1)
    change(connection, seeded, created_at=at, reminders_started_at=None)
    return at


# --- the series --------------------------------------------------------------------------------------------


def test_it_tells_the_applicant_and_queues_the_next(
    run: Runner, handler: Any, seeded: Seeded, connection: Connection, started: datetime
) -> None:
    job = remind(run, handler, seeded, connection)

    day3 = started + 3 * DAY
    assert (job.status, job.result) == (
        "completed",
        {
            "applicationId": seeded.day_old_application_id,
            "sent": True,
            "reason": None,
            "next": "day3",
            "nextAt": job.result["nextAt"],
        },
    )
    assert datetime.fromisoformat(job.result["nextAt"]) == day3
    (notice,) = run.accepted(JobType.SEND_NOTIFICATION)
    told = payload_of(connection, notice.job_id)
    assert (notice.status, notice.not_before) == ("pending", None)
    assert (notice.user_id, notice.organization_id) == (seeded.member_id, seeded.organization_id)
    assert (told["type"], told["templateId"], told["recipientId"]) == (
        "reminder",
        "applicationReminder",
        applicant_of(connection, seeded.day_old_application_id),
    )
    assert told["templateData"]["missing"] == [
        "Photo ID",
        "Pay stub",
        "Bank statement",
        "Reference from your landlord",
    ]
    assert told["templateData"]["continueUrl"] == (
        f"https://app.example.com/applications/{seeded.day_old_application_id}"
    )
    (later,) = following(run, job)
    assert (later.payload["reminderType"], later.not_before) == ("day3", day3)
    assert later.payload["applicationId"] == seeded.day_old_application_id
    assert (later.user_id, later.organization_id) == (seeded.member_id, seeded.organization_id)
    assert reminders(connection, seeded.day_old_application_id) == {"day1": job.job_id}
    row = application(connection, seeded.day_old_application_id)
    assert row["reminders_started_at"] is not None
    assert row["reminders_ended_at"] is None


@pytest.mark.parametrize(
    ("kind", "days", "next_one", "due"),
    [
        ("day1", 1.2, "day3", 3),
        ("day1", 0.0, "day3", 3),  # asked for early
        ("day3", 3.0, "day5", 5),
        ("day5", 5.9, "day7", 7),  # late, and the next one is not
        ("day1", 4.0, "day5", 5),  # so late that another's time has passed
        ("day1", 6.5, "day7", 7),
    ],
)
def test_each_is_due_so_many_days_after_the_start_and_never_in_the_past(
    run: Runner,
    handler: Any,
    seeded: Seeded,
    connection: Connection,
    kind: str,
    days: float,
    next_one: str,
    due: int,
) -> None:
    at = datetime.now(UTC) - days * DAY - A_MINUTE
    change(connection, seeded, created_at=at)

    job = remind(run, handler, seeded, connection, kind)

    (later,) = following(run, job)
    assert (later.payload["reminderType"], later.not_before) == (next_one, at + due * DAY)


def test_a_week_without_an_answer_is_reminded_of_four_times(
    jobs: Jobs, handler: Any, seeded: Seeded, connection: Connection, started: datetime
) -> None:
    jobs.use(SendNotification, lambda _job: None)
    application_id = seeded.day_old_application_id
    first = SendReminder(
        reminder_type=ReminderType.DAY1, applicant_id=applicant_of(connection, application_id)
    )
    enqueue(first, organization_id=seeded.organization_id)

    jobs.drain(ahead=math.inf)  # each is due by the application's clock, which stands still

    assert list(reminders(connection, application_id)) == ["day1", "day3", "day5", "day7"]
    jobs.assert_enqueued(SendNotification, status="completed", count=4)
    jobs.assert_enqueued(SendReminder, status="completed", count=4)
    assert application(connection, application_id)["reminders_ended_at"] is not None


@pytest.mark.parametrize(("kind", "days"), [("day7", 7.0), ("day1", 8.0)])
def test_the_last_ends_the_series(
    run: Runner, handler: Any, seeded: Seeded, connection: Connection, kind: str, days: float
) -> None:
    change(connection, seeded, created_at=datetime.now(UTC) - days * DAY - A_MINUTE)

    job = remind(run, handler, seeded, connection, kind)

    assert (job.result["sent"], job.result["next"], following(run, job)) == (True, None, [])
    assert application(connection, seeded.day_old_application_id)["reminders_ended_at"] is not None


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (
            {"status": "approved", "submitted_at": "now()", "decided_at": "now()"},
            "the application was decided",
        ),
        ({"status": "denied", "submitted_at": "now()", "decided_at": "now()"}, "the application was decided"),
        ({"status": "withdrawn"}, "the application was withdrawn"),
        ({"status": "expired"}, "the application has expired"),
        ({"expires_at": "now()"}, "the application has expired"),
        ({"status": "complete", "submitted_at": "now()"}, "the documents are complete"),
        ({"required_documents": []}, "the documents are complete"),
        ({"reminders_ended_at": "now()"}, "the reminders were ended"),
    ],
)
def test_where_there_is_nothing_to_remind_of_it_ends_the_series(
    run: Runner,
    handler: Any,
    seeded: Seeded,
    connection: Connection,
    started: datetime,
    columns: dict[str, Any],
    reason: str,
) -> None:
    moments = {name: datetime.now(UTC) if value == "now()" else value for name, value in columns.items()}
    change(connection, seeded, **{"reminders_started_at": started, **moments})

    job = remind(run, handler, seeded, connection, "day3")

    assert (job.status, job.result["sent"], job.result["reason"]) == ("completed", False, reason)
    assert (following(run, job), run.accepted(JobType.SEND_NOTIFICATION)) == ([], [])
    assert reminders(connection, seeded.day_old_application_id) == {}
    assert application(connection, seeded.day_old_application_id)["reminders_ended_at"] is not None


@pytest.mark.parametrize("status", ["received", "verified"])
def test_documents_that_have_come_are_not_missing(
    run: Runner, handler: Any, seeded: Seeded, connection: Connection, started: datetime, status: str
) -> None:
    connection.execute(
        "UPDATE app.application_documents SET status = %s, received_at = now(), reviewed_at = "
        "CASE WHEN %s = 'verified' THEN now() END WHERE application_id = %s AND kind <> 'pay_stub'",
        [status, status, seeded.day_old_application_id],
    )

    remind(run, handler, seeded, connection)

    (notice,) = run.accepted(JobType.SEND_NOTIFICATION)
    assert payload_of(connection, notice.job_id)["templateData"]["missing"] == ["Pay stub"]


def test_without_an_id_it_is_the_latest_that_is_not_complete(
    run: Runner, handler: Any, seeded: Seeded, connection: Connection, started: datetime
) -> None:
    applicant = applicant_of(connection, seeded.day_old_application_id)
    connection.execute(
        "UPDATE app.applications SET applicant_id = %s WHERE id = ANY(%s)",
        [applicant, [seeded.withdrawn_application_id, seeded.expired_application_id]],
    )
    connection.execute(
        "UPDATE app.applications SET created_at = now() WHERE id = %s", [seeded.withdrawn_application_id]
    )

    job = remind(run, handler, seeded, connection, application_id=None)

    assert job.result["applicationId"] == seeded.day_old_application_id


# --- nothing to remind of ----------------------------------------------------------------------------------


def test_anothers_application_is_like_none(
    run: Runner, handler: Any, seeded: Seeded, connection: Connection
) -> None:
    applicant = applicant_of(connection, seeded.day_old_application_id)
    payload = SendReminder(reminder_type=ReminderType.DAY1, applicant_id=applicant)

    jobs = [
        run(handler, payload, organization_id=seeded.other_organization_id),
        remind(run, handler, seeded, connection, application_id=seeded.application_id),
        remind(run, handler, seeded, connection, application_id=2**31),
    ]

    assert {(job.status, job.error) for job in jobs} == {("failed", "the applicant has no such application")}


def test_without_an_organization_it_fails_for_good(run: Runner, handler: Any, seeded: Seeded) -> None:
    job = run(handler, SendReminder(reminder_type=ReminderType.DAY3, applicant_id=seeded.applicant_id))

    assert (job.status, job.attempt) == ("failed", 1)
    assert "enqueue it with organization_id" in (job.error or "")


# --- with the worker that tells ----------------------------------------------------------------------------


def test_the_applicant_gets_the_mail(
    run: Runner,
    handler: Any,
    seeded: Seeded,
    connection: Connection,
    started: datetime,
    mailbox: Mailbox,
) -> None:
    from functions.send_notification.handler import handler as tell

    connection.execute(
        "DELETE FROM app.notification_preferences WHERE user_id = %s",
        [applicant_of(connection, seeded.day_old_application_id)],
    )
    remind(run, handler, seeded, connection)
    (notice,) = run.accepted(JobType.SEND_NOTIFICATION)

    assert run.deliver(tell, notice.job_id) == 200

    (mail,) = mailbox.mails
    assert "Reference from your landlord" in mail.text
    assert f"https://app.example.com/applications/{seeded.day_old_application_id}" in mail.text
