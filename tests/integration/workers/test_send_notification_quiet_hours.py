"""Quiet hours are the recipient's own: in their time zone, past midnight, and where the clocks change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.local.background import Background
from infra.local.mailbox import Mailbox
from infra.seed import Seeded
from shared import database, fault_points
from shared.database import Connection
from shared.fault_points import Crash, FaultPoint
from shared.job import Job
from shared.registry import JobType
from shared.rows import ClaimedJob
from shared.testing import Jobs
from tests.integration.workers.conftest import LEASE, Runner
from tests.integration.workers.notifying import (
    listening_mailbox,
    payload_of,
    prefer,
    reminder,
    result_of,
    rows_of,
)

NIGHT = (time(22), time(7))


@pytest.fixture(autouse=True)
def mailbox(background: Background, environment: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    yield from listening_mailbox(background, environment)


@pytest.fixture
def handler(mailbox: Mailbox) -> Any:
    from functions.send_notification.handler import handler

    return handler


@pytest.fixture
def recipient(connection: Connection, seeded: Seeded) -> int:
    """Somebody whose quiet hours are all of the day but the next hour but one."""
    here = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    start, end = (here + timedelta(hours=3)).time(), (here + timedelta(hours=2)).time()
    prefer(connection, seeded.applicant_id, quiet_hours_start=start, quiet_hours_end=end)
    return seeded.applicant_id


def the_later_one(run: Runner, before: Any) -> Any:
    (later,) = [job for job in run.accepted(JobType.SEND_NOTIFICATION) if job.job_id != before]
    return later


def test_another_job_tells_when_they_are_over(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    job = run(handler, reminder(recipient), organization_id=seeded.organization_id, user_id=recipient)

    later = the_later_one(run, job.job_id)
    assert (job.status, rows_of(connection, job.job_id), mailbox.mails) == ("completed", {}, [])
    assert later.not_before is not None
    assert timedelta(hours=1) < later.not_before - datetime.now(UTC) <= timedelta(hours=2)
    assert (later.not_before.minute, later.not_before.second) == (0, 0)
    assert (later.status, later.user_id, later.organization_id) == (
        "pending",
        recipient,
        seeded.organization_id,
    )
    assert payload_of(connection, later.job_id) == payload_of(connection, job.job_id)
    told = datetime.fromisoformat(result_of(connection, job.job_id)["putOffUntil"])
    assert told == later.not_before


def test_the_later_job_tells(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    job = run(handler, reminder(recipient), organization_id=seeded.organization_id)
    prefer(connection, recipient)  # the night is over

    later = the_later_one(run, job.job_id)
    assert run.deliver(handler, later.job_id) == 200

    assert rows_of(connection, later.job_id).keys() == {"email", "in_app"}
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("point", [FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_a_crash_puts_off_once(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, jobs: Jobs, point: FaultPoint
) -> None:
    with fault_points.armed(point), pytest.raises(Crash):
        run(handler, reminder(recipient), organization_id=seeded.organization_id)
    database.discard()
    (job,) = run.accepted(JobType.SEND_NOTIFICATION)
    jobs.advance(LEASE)

    for _ in range(2):
        assert run.deliver(handler, job.job_id) == 200

    assert the_later_one(run, job.job_id).status == "pending"


# --- when they end -----------------------------------------------------------------------------------------


def quiet_until(connection: Connection, seeded: Seeded, now: datetime) -> datetime | None:
    from functions.send_notification import recipients

    claimed = ClaimedJob(
        job_id=uuid4(),
        job_type="send-notification",
        status="processing",
        payload="",
        run=1,
        attempt=1,
        max_attempts=4,
        user_id=None,
        organization_id=seeded.organization_id,
        idempotency_key=None,
        schedule_id=None,
        created_at=now,
        error=None,
        failure_callback=None,
        batch_id=None,
        completes_batch=None,
        waited=0,
        since_last_error=None,
    )
    found = recipients.find(connection, Job(claimed, reminder(seeded.applicant_id), 60), now)
    assert found is not None
    return found.quiet_until


@pytest.mark.parametrize(
    ("zone", "hours", "now", "until"),
    [
        ("UTC", NIGHT, "2026-01-15T21:59:59Z", None),
        ("UTC", NIGHT, "2026-01-15T22:00:00Z", "2026-01-16T07:00:00Z"),
        ("UTC", NIGHT, "2026-01-16T06:59:59Z", "2026-01-16T07:00:00Z"),
        ("UTC", NIGHT, "2026-01-16T07:00:00Z", None),
        ("UTC", (time(13), time(15)), "2026-01-15T12:59:59Z", None),
        ("UTC", (time(13), time(15)), "2026-01-15T13:00:00Z", "2026-01-15T15:00:00Z"),
        ("UTC", (time(13), time(15)), "2026-01-15T15:00:00Z", None),
        ("America/New_York", NIGHT, "2026-01-15T22:30:00Z", None),
        ("America/New_York", NIGHT, "2026-01-16T03:30:00Z", "2026-01-16T12:00:00Z"),
        ("Asia/Kathmandu", NIGHT, "2026-01-15T16:30:00Z", "2026-01-16T01:15:00Z"),
        # a night that the clocks make an hour shorter, or longer
        ("America/New_York", NIGHT, "2026-03-07T23:00:00-05:00", "2026-03-08T07:00:00-04:00"),
        ("America/New_York", NIGHT, "2026-10-31T23:00:00-04:00", "2026-11-01T07:00:00-05:00"),
        # 2:30 does not come that night: 3:30 is when it would have been
        (
            "America/New_York",
            (time(22), time(2, 30)),
            "2026-03-08T01:00:00-05:00",
            "2026-03-08T03:30:00-04:00",
        ),
        ("America/New_York", (time(22), time(2, 30)), "2026-03-08T03:00:00-04:00", None),
        # 1:30 comes twice that night
        (
            "America/New_York",
            (time(22), time(1, 30)),
            "2026-11-01T01:15:00-04:00",
            "2026-11-01T01:30:00-05:00",
        ),
        (
            "America/New_York",
            (time(22), time(1, 30)),
            "2026-11-01T01:15:00-05:00",
            "2026-11-01T01:30:00-05:00",
        ),
        ("America/New_York", (time(22), time(1, 30)), "2026-11-01T01:30:00-05:00", None),
    ],
)
def test_the_end_of_quiet_hours(
    connection: Connection, seeded: Seeded, zone: str, hours: tuple[time, time], now: str, until: str | None
) -> None:
    prefer(
        connection,
        seeded.applicant_id,
        quiet_hours_start=hours[0],
        quiet_hours_end=hours[1],
        time_zone=zone,
    )

    found = quiet_until(connection, seeded, datetime.fromisoformat(now))

    assert found == (until and datetime.fromisoformat(until))


CHANGES = {  # of the clocks: two in each zone, one of them by half an hour, and one that skipped a day
    "America/New_York": ("2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"),
    "Europe/Dublin": ("2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"),
    "Australia/Lord_Howe": ("2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"),
    "Pacific/Apia": ("2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"),
}


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(data=st.data())
def test_whatever_the_clocks_do_a_job_put_off_tells(
    connection: Connection, seeded: Seeded, data: Any
) -> None:
    zone = data.draw(st.sampled_from(sorted(CHANGES)))
    change = datetime.fromisoformat(data.draw(st.sampled_from(CHANGES[zone])))
    now = change + timedelta(minutes=data.draw(st.integers(-36 * 60, 36 * 60)))
    start = data.draw(st.sampled_from([time(20), time(22), time(0), time(1, 15)]))
    end = data.draw(st.sampled_from([time(1), time(1, 30), time(2), time(2, 30), time(3), time(7)]))
    prefer(connection, seeded.applicant_id, quiet_hours_start=start, quiet_hours_end=end, time_zone=zone)

    until = quiet_until(connection, seeded, now)

    if until is not None:
        assert now < until <= now + timedelta(hours=25)
        assert quiet_until(connection, seeded, until) is None
