"""send-reminder sends each reminder once: the series for good, the one on request a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.local.background import Background
from infra.local.mailbox import Mailbox
from infra.seed import Seeded
from shared import database, fault_points
from shared.database import Connection
from shared.fault_points import Crash, FaultPoint
from shared.registry import JobType
from shared.testing import Jobs
from tests.integration.workers.conftest import LEASE, Runner
from tests.integration.workers.notifying import listening_mailbox
from tests.integration.workers.reminding import (
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


# --- on request --------------------------------------------------------------------------------------------


def test_missing_documents_are_asked_for_and_nothing_follows(
    run: Runner, handler: Any, seeded: Seeded, connection: Connection, started: datetime
) -> None:
    before = application(connection, seeded.day_old_application_id)

    job = remind(run, handler, seeded, connection, "missingDocs")

    assert (job.result["sent"], job.result["next"], following(run, job)) == (True, None, [])
    assert len(run.accepted(JobType.SEND_NOTIFICATION)) == 1
    after = application(connection, seeded.day_old_application_id)
    for column in ("reminders_started_at", "reminders_ended_at"):
        assert after[column] == before[column]


def test_it_can_be_asked_for_again_a_day_later(
    run: Runner, handler: Any, seeded: Seeded, connection: Connection, started: datetime
) -> None:
    results = [remind(run, handler, seeded, connection, "missingDocs").result["sent"] for _ in range(2)]
    connection.execute("UPDATE app.application_reminders SET sent_at = sent_at - interval '1 day'")
    results.append(remind(run, handler, seeded, connection, "missingDocs").result["sent"])

    assert results == [True, False, True]
    assert len(run.accepted(JobType.SEND_NOTIFICATION)) == 2


def test_it_is_sent_though_the_series_has_ended(
    run: Runner, handler: Any, seeded: Seeded, connection: Connection, started: datetime
) -> None:
    change(connection, seeded, reminders_started_at=started, reminders_ended_at=datetime.now(UTC))

    assert remind(run, handler, seeded, connection, "missingDocs").result["sent"]


# --- once --------------------------------------------------------------------------------------------------


def test_a_second_run_sends_nothing_and_queues_nothing(
    run: Runner, handler: Any, seeded: Seeded, connection: Connection, started: datetime
) -> None:
    first = remind(run, handler, seeded, connection)
    assert run.deliver(handler, first.job_id) == 200
    second = remind(run, handler, seeded, connection)

    assert (second.result["sent"], second.result["reason"]) == (False, "day1 was sent before")
    assert len(following(run, first, second)) == 1
    assert len(run.accepted(JobType.SEND_NOTIFICATION)) == 1
    assert reminders(connection, seeded.day_old_application_id) == {"day1": first.job_id}


@pytest.mark.parametrize("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_after_a_crash_all_of_it_happens_once(
    run: Runner,
    handler: Any,
    seeded: Seeded,
    connection: Connection,
    started: datetime,
    jobs: Jobs,
    point: FaultPoint,
) -> None:
    with fault_points.armed(point), pytest.raises(Crash):
        remind(run, handler, seeded, connection)
    database.discard()
    (job,) = run.accepted(JobType.SEND_REMINDER)
    assert reminders(connection, seeded.day_old_application_id) == {}
    assert run.accepted(JobType.SEND_NOTIFICATION) == []
    jobs.advance(LEASE)

    assert run.deliver(handler, job.job_id) == 200

    assert reminders(connection, seeded.day_old_application_id) == {"day1": job.job_id}
    assert len(run.accepted(JobType.SEND_NOTIFICATION)) == 1
    assert len(following(run, job)) == 1
