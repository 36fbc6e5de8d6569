"""The hourly check starts the reminders of each application that has been incomplete for a day, once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.background import Background
from infra.local.mailbox import Mailbox
from infra.seed import Seeded
from shared import database, dispatcher, fault_points
from shared.database import Connection
from shared.fault_points import Crash, FaultPoint
from shared.jobs.send_reminder import ReminderType, SendReminder
from shared.registry import JobType
from shared.rows import Execution
from shared.testing import Jobs
from tests.integration.workers.conftest import LEASE, Runner
from tests.integration.workers.notifying import listening_mailbox

CHECK = SendReminder(reminder_type=ReminderType.DAY1)
REMINDED = (
    "INSERT INTO app.application_reminders (organization_id, application_id, reminder_type) "
    "SELECT organization_id, id, "
)


@pytest.fixture(autouse=True)
def mailbox(background: Background, environment: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    yield from listening_mailbox(background, environment)


@pytest.fixture
def handler(mailbox: Mailbox) -> Any:
    from functions.send_reminder.handler import handler

    return handler


@pytest.fixture(autouse=True)
def due(connection: Connection) -> set[int]:
    """The applications whose reminders are to start: all that are incomplete, each a day old, none reminded."""
    connection.execute("DELETE FROM app.application_reminders")
    connection.execute(
        "UPDATE app.applications SET created_at = now() - interval '25 hours' WHERE status = 'started'"
    )
    found = connection.execute(
        "SELECT id FROM app.applications WHERE status IN ('started', 'documents_pending') "
        "AND expires_at > now() AND created_at <= now() - interval '1 day'"
    ).fetchall()
    assert len(found) > 5
    return {row["id"] for row in found}


def first_reminders(run: Runner) -> list[Execution]:
    return [job for job in run.accepted(JobType.SEND_REMINDER) if job.payload["applicantId"] is not None]


def applications_of(jobs: list[Execution]) -> list[int]:
    return sorted(job.payload["applicationId"] for job in jobs)


def test_each_application_that_is_due_gets_its_first_reminder(
    run: Runner, handler: Any, due: set[int], connection: Connection
) -> None:
    job = run(handler, CHECK)

    assert (job.status, job.result) == ("completed", {"started": len(due), "goesOn": False})
    jobs = first_reminders(run)
    assert applications_of(jobs) == sorted(due)
    for each in jobs:
        row = connection.execute(
            "SELECT organization_id, applicant_id FROM app.applications WHERE id = %s",
            [each.payload["applicationId"]],
        ).fetchone()
        assert row == {"organization_id": each.organization_id, "applicant_id": each.user_id}
        assert each.payload["applicantId"] == each.user_id
        assert (each.payload["reminderType"], each.not_before) == ("day1", None)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE app.applications SET created_at = now() - interval '23 hours' WHERE id = %s",
        "UPDATE app.applications SET expires_at = now() WHERE id = %s",
        "UPDATE app.applications SET status = 'withdrawn' WHERE id = %s",
        "UPDATE app.applications SET reminders_started_at = now(), reminders_ended_at = now() WHERE id = %s",
        REMINDED + "'day1' FROM app.applications WHERE id = %s",
    ],
)
def test_what_is_not_due_gets_none(
    run: Runner, handler: Any, seeded: Seeded, due: set[int], connection: Connection, change: str
) -> None:
    connection.execute(change.encode(), [seeded.day_old_application_id])

    run(handler, CHECK)

    assert applications_of(first_reminders(run)) == sorted(due - {seeded.day_old_application_id})


def test_a_reminder_on_request_is_none_of_the_series(
    run: Runner, handler: Any, due: set[int], connection: Connection
) -> None:
    connection.execute((REMINDED + "'missingDocs' FROM app.applications").encode())

    run(handler, CHECK)

    assert applications_of(first_reminders(run)) == sorted(due)


def test_with_an_organization_it_checks_only_that(
    run: Runner, handler: Any, seeded: Seeded, due: set[int]
) -> None:
    run(handler, CHECK, organization_id=seeded.organization_id)

    jobs = first_reminders(run)
    assert 0 < len(jobs) < len(due)
    assert {job.organization_id for job in jobs} == {seeded.organization_id}


def test_it_is_bounded_and_another_job_carries_on(
    run: Runner, handler: Any, due: set[int], environment: pytest.MonkeyPatch
) -> None:
    from functions.send_reminder import check

    environment.setattr(check, "_PER_RUN", 3)
    checks = [run(handler, CHECK)]
    while checks[-1].result["goesOn"]:
        assert len(checks) <= len(due)
        known = {job.job_id for job in checks}
        (rest,) = [
            job
            for job in run.accepted(JobType.SEND_REMINDER)
            if job.payload["applicantId"] is None and job.job_id not in known
        ]
        assert run.deliver(handler, rest.job_id) == 200
        checks.append(run.read(rest.job_id))

    assert [job.result["started"] for job in checks[:-1]] == [3] * (len(checks) - 1)
    assert applications_of(first_reminders(run)) == sorted(due)


# --- once --------------------------------------------------------------------------------------------------


def test_the_next_check_starts_nothing_again(run: Runner, handler: Any, due: set[int]) -> None:
    run(handler, CHECK)
    first = first_reminders(run)
    for job in first[:2]:
        assert run.deliver(handler, job.job_id) == 200
    run(handler, CHECK)

    again = [job for job in first_reminders(run) if job.payload["reminderType"] == "day1"]
    assert [job.job_id for job in again] == [job.job_id for job in first]


def waiting(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) AS waiting FROM pg_locks WHERE NOT granted").fetchone()
    assert row is not None
    return int(row["waiting"])


def test_two_checks_at_once_start_each_once(
    run: Runner, handler: Any, due: set[int], connection: Connection
) -> None:
    jobs = [dispatcher.enqueue(CHECK) for _ in range(2)]
    answers: list[int] = []

    def deliver(job_id: Any) -> None:
        answers.append(run.deliver(handler, job_id))

    # Held until both are there, so that both find the same applications.
    with connection.transaction():
        connection.execute("LOCK TABLE app.application_reminders IN ACCESS EXCLUSIVE MODE")
        threads = [threading.Thread(target=deliver, args=[job_id]) for job_id in jobs]
        for thread in threads:
            thread.start()
        while waiting(connection) < 2:
            assert all(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join()

    assert answers == [200, 200]
    assert applications_of(first_reminders(run)) == sorted(due)


@pytest.mark.parametrize("point", [FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_after_a_crash_each_is_started_once(
    run: Runner, handler: Any, due: set[int], jobs: Jobs, point: FaultPoint
) -> None:
    with fault_points.armed(point), pytest.raises(Crash):
        run(handler, CHECK)
    database.discard()
    assert first_reminders(run) == []
    (job,) = run.accepted(JobType.SEND_REMINDER)
    jobs.advance(LEASE)

    assert run.deliver(handler, job.job_id) == 200
    assert applications_of(first_reminders(run)) == sorted(due)


def test_a_key_that_another_payload_holds_stops_no_other_reminder(
    run: Runner, handler: Any, due: set[int], connection: Connection
) -> None:
    """As after a deploy that gave the payload another field, or after two accounts became one."""
    first = min(due)
    run(handler, CHECK)
    connection.execute(
        "UPDATE job_executions SET payload = payload || '{\"applicantId\": 1}', status = 'failed', error = 'no luck', "
        "completed_at = now() WHERE job_type = 'send-reminder' AND payload ->> 'applicationId' = %s",
        [str(first)],
    )
    connection.execute("DELETE FROM job_executions WHERE payload ->> 'applicationId' <> %s", [str(first)])
    job = run(handler, CHECK)
    assert (job.status, job.error) == ("completed", None)
    assert job.result["started"] == len(due) - 1
    assert applications_of(first_reminders(run)) == sorted(due)
