"""send-notification tells nothing twice: not after a crash, not when redelivered, not when a dead letter is retried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.background import Background
from infra.local.mailbox import Mailbox
from infra.seed import Seeded
from shared import database, dispatcher, fault_points
from shared.database import Connection
from shared.fault_points import Crash, FaultPoint
from shared.testing import Jobs
from tests.integration.workers.conftest import LEASE, Runner
from tests.integration.workers.notifying import (
    confirmation,
    listening_mailbox,
    prefer,
    reminder,
    result_of,
    rows_of,
)


@pytest.fixture(autouse=True)
def mailbox(background: Background, environment: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    yield from listening_mailbox(background, environment)


@pytest.fixture
def handler(mailbox: Mailbox) -> Any:
    from functions.send_notification.handler import handler

    return handler


@pytest.fixture
def recipient(connection: Connection, seeded: Seeded) -> int:
    """An applicant without preferences of their own."""
    connection.execute("DELETE FROM app.notification_preferences WHERE user_id = %s", [seeded.applicant_id])
    return seeded.applicant_id


@pytest.mark.parametrize("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_a_crash_tells_nothing_twice(
    run: Runner,
    handler: Any,
    seeded: Seeded,
    recipient: int,
    connection: Connection,
    jobs: Jobs,
    mailbox: Mailbox,
    point: FaultPoint,
) -> None:
    job_id = dispatcher.enqueue(reminder(recipient), organization_id=seeded.organization_id)
    with fault_points.armed(point), pytest.raises(Crash):
        run.deliver(handler, job_id)
    database.discard()
    assert rows_of(connection, job_id) == {}
    jobs.advance(LEASE)

    assert run.deliver(handler, job_id) == 200

    assert len(mailbox.mails) == 1
    assert rows_of(connection, job_id).keys() == {"email", "in_app"}
    assert run.read(job_id).status == "completed"


def test_a_redelivery_after_the_end_tells_nothing(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, mailbox: Mailbox
) -> None:
    job = run(handler, reminder(recipient), organization_id=seeded.organization_id)

    assert run.deliver(handler, job.job_id) == 200
    assert len(mailbox.mails) == 1


def test_a_new_job_tells_anew(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, mailbox: Mailbox
) -> None:
    for _ in range(2):
        run(handler, confirmation(recipient), organization_id=seeded.organization_id)

    assert len(mailbox.mails) == 2


def test_what_got_through_stays_and_is_not_told_again_by_a_replay(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    mailbox.fail_next(1, status=422)
    job = run(handler, reminder(recipient), organization_id=seeded.organization_id)
    assert job.status == "failed"
    assert job.error == (
        "not told over email: Resend refused the mail (validation_error): "
        "mend it and retry the job, or reach them another way"
    )
    rows = rows_of(connection, job.job_id)
    assert (rows["email"]["status"], rows["in_app"]["status"]) == ("failed", "delivered")
    connection.execute("UPDATE app.notifications SET read_at = now() WHERE channel = 'in_app'")

    dispatcher.retry(job.job_id)
    assert run.deliver(handler, job.job_id) == 200

    after = rows_of(connection, job.job_id)
    assert len(mailbox.mails) == 1
    assert (after["email"]["status"], after["email"]["error"]) == ("sent", None)
    assert after["in_app"]["id"] == rows["in_app"]["id"]
    assert after["in_app"]["read_at"] is not None
    assert result_of(connection, job.job_id) == {"channels": {"email": "sent"}}


def test_resend_down_is_tried_again(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    mailbox.fail_next(1, status=503)
    mailbox.fail_next(1, status=429, retry_after=7)
    job_id = dispatcher.enqueue(reminder(recipient), organization_id=seeded.organization_id)

    assert run.deliver(handler, job_id) == 500
    assert run.deliver(handler, job_id) == 503
    assert rows_of(connection, job_id).keys() == {"in_app"}
    assert run.deliver(handler, job_id) == 200
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize("channels", [["email", "in_app"], ["in_app", "email"]])
def test_while_resend_is_down_the_other_channels_tell_already(
    run: Runner,
    handler: Any,
    seeded: Seeded,
    recipient: int,
    connection: Connection,
    mailbox: Mailbox,
    channels: list[str],
) -> None:
    prefer(connection, recipient, channels=channels)
    mailbox.fail_next(1, status=503)
    job = run(handler, reminder(recipient), organization_id=seeded.organization_id)
    assert job.status == "retrying"
    rows = rows_of(connection, job.job_id)
    assert {channel: row["status"] for channel, row in rows.items()} == {"in_app": "delivered"}

    assert run.deliver(handler, job.job_id) == 200

    after = rows_of(connection, job.job_id)
    assert (after["email"]["status"], after["in_app"]["id"]) == ("sent", rows["in_app"]["id"])
    assert len(mailbox.mails) == 1


def test_a_webhook_that_was_quicker_is_not_overwritten(
    run: Runner,
    handler: Any,
    seeded: Seeded,
    recipient: int,
    connection: Connection,
    jobs: Jobs,
    mailbox: Mailbox,
) -> None:
    job_id = dispatcher.enqueue(reminder(recipient), organization_id=seeded.organization_id)
    with fault_points.armed(FaultPoint.HANDLED), pytest.raises(Crash):
        run.deliver(handler, job_id)
    database.discard()
    connection.execute(
        "INSERT INTO app.email_deliveries (provider_id, recipient, status, delivered_at) "
        "VALUES (%s, 'ada@example.com', 'delivered', now())",
        [mailbox.mails[0].id],
    )
    jobs.advance(LEASE)

    run.deliver(handler, job_id)

    row = connection.execute(
        "SELECT status, job_id, sent_at FROM app.email_deliveries WHERE provider_id = %s",
        [mailbox.mails[0].id],
    ).fetchone()
    assert row is not None
    assert (row["status"], row["job_id"]) == ("delivered", job_id)
    assert row["sent_at"] is not None
