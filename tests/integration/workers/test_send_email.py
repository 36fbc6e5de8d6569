"""send-email on the real database, with the mailbox in Resend's place."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.background import Background
from infra.local.mailbox import Mailbox
from infra.seed import Seeded
from shared.database import Connection
from shared.dispatcher import enqueue, retry
from shared.fault_points import Crash, FaultPoint, armed
from shared.jobs.process_webhook import ProcessWebhook
from shared.jobs.send_email import SendEmail, WelcomeData
from shared.registry import JobType
from tests.integration.workers.conftest import Runner
from tests.integration.workers.notifying import listening_mailbox


@pytest.fixture(autouse=True)
def mailbox(background: Background, environment: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    yield from listening_mailbox(background, environment)


@pytest.fixture
def handler(mailbox: Mailbox) -> Any:
    return importlib.import_module("functions.send_email.handler").handler


def welcome(to: str = "ada@example.com", name: str = "Ada") -> SendEmail:
    return SendEmail(to=to, data=WelcomeData(name=name))


def deliveries(connection: Connection, to: str = "ada@example.com") -> list[dict[str, Any]]:
    return connection.execute(
        "SELECT * FROM app.email_deliveries WHERE recipient = %s ORDER BY id", [to]
    ).fetchall()


def suppress(connection: Connection, email: str, reason: str) -> None:
    connection.execute(
        "INSERT INTO app.email_suppressions (email, reason, created_at) VALUES (%s, %s, '2026-05-01Z')",
        [email, reason],
    )


def test_a_mail_is_sent_and_its_delivery_noted(
    run: Runner, handler: Any, connection: Connection, mailbox: Mailbox
) -> None:
    job = run(handler, welcome())
    (mail,) = mailbox.mails
    assert (mail.to, mail.idempotency_key) == (["ada@example.com"], str(job.job_id))
    assert (job.status, job.result) == ("completed", {"emailId": mail.id, "template": "welcome"})
    (row,) = deliveries(connection)
    assert (row["provider_id"], row["template"], row["job_id"]) == (mail.id, "welcome", job.job_id)
    assert (row["status"], row["sent_at"] is not None) == ("sent", True)


@pytest.mark.parametrize("point", [FaultPoint.CLAIMED, FaultPoint.HANDLED, FaultPoint.COMPLETING])
def test_a_crash_sends_nothing_twice(
    run: Runner, handler: Any, connection: Connection, mailbox: Mailbox, point: FaultPoint
) -> None:
    with armed(point), pytest.raises(Crash):
        run(handler, welcome())
    assert deliveries(connection) == []
    (job,) = run.accepted(JobType.SEND_EMAIL)
    connection.execute("UPDATE job_executions SET lease_expires_at = now() WHERE status = 'processing'")
    for _time in range(2):
        assert run.deliver(handler, job.job_id) == 200
    assert len(mailbox.mails) == len(deliveries(connection)) == 1


def test_the_same_mail_as_a_new_job_is_another_mail(
    run: Runner, handler: Any, connection: Connection, mailbox: Mailbox
) -> None:
    for _time in range(2):
        run(handler, welcome())
    assert len(mailbox.mails) == len(deliveries(connection)) == 2


def test_a_replay_may_carry_a_corrected_payload(
    run: Runner, handler: Any, connection: Connection, mailbox: Mailbox
) -> None:
    mailbox.fail_next(1, status=422)
    job = run(handler, welcome(name="Aad"))
    assert (job.status, deliveries(connection)) == ("failed", [])
    assert job.error == "Resend refused the mail: The request was refused. (validation_error)"
    retry(job.job_id, welcome())
    assert run.deliver(handler, job.job_id) == 200
    assert [mail.idempotency_key for mail in mailbox.mails] == [f"{job.job_id}-2"]


def test_told_when_to_come_back(run: Runner, handler: Any, connection: Connection, mailbox: Mailbox) -> None:
    mailbox.fail_next(1, status=429, retry_after=30)
    job = run(handler, welcome())
    assert (job.status, deliveries(connection)) == ("retrying", [])
    assert run.deliver(handler, job.job_id) == 200
    assert run.read(job.job_id).status == "completed"


def test_otherwise_qstash_backs_off(run: Runner, handler: Any, mailbox: Mailbox) -> None:
    mailbox.fail_next(1)
    job_id = enqueue(welcome())
    assert run.deliver(handler, job_id) == 500


# --- suppressed addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("bounced", "hard bounce on 1 May 2026"),
        ("complained", "complaint on 1 May 2026"),
        ("manual", "taken off by hand on 1 May 2026"),
    ],
)
@pytest.mark.parametrize("to", ["gone@example.com", "Gone@EXAMPLE.com"])
def test_a_suppressed_address_is_never_mailed(
    run: Runner, handler: Any, connection: Connection, mailbox: Mailbox, to: str, reason: str, words: str
) -> None:
    suppress(connection, "gone@example.com", reason)
    job = run(handler, welcome(to))
    assert (job.status, mailbox.mails, deliveries(connection, to)) == ("cancelled", [], [])
    assert job.error == f"{job.payload['to']} is suppressed: {words}"


def test_the_seeds_bounced_address_is_suppressed(
    run: Runner, handler: Any, seeded: Seeded, mailbox: Mailbox
) -> None:
    assert run(handler, welcome(seeded.bounced_email)).status == "cancelled"
    assert mailbox.mails == []


def test_resends_bounce_keeps_the_next_mail_back(
    run: Runner, handler: Any, connection: Connection, mailbox: Mailbox
) -> None:
    run(handler, welcome())
    process_webhook = importlib.import_module("functions.process_webhook.handler").handler
    bounced = {"email_id": mailbox.mails[0].id, "to": ["ada@example.com"], "bounce": {"type": "Permanent"}}
    run(process_webhook, ProcessWebhook(source="resend", event="email.bounced", data=bounced))
    (row,) = deliveries(connection)
    assert (row["status"], row["template"]) == ("bounced", "welcome")
    assert run(handler, welcome()).status == "cancelled"
    assert len(mailbox.mails) == 1


def test_a_webhook_that_was_quicker_stays(
    run: Runner, handler: Any, connection: Connection, mailbox: Mailbox
) -> None:
    """Resend tells of the mail before its job has committed; here, because the job dies in between."""
    with armed(FaultPoint.COMPLETING), pytest.raises(Crash):
        run(handler, welcome())
    process_webhook = importlib.import_module("functions.process_webhook.handler").handler
    delivered = {"email_id": mailbox.mails[0].id, "to": ["ada@example.com"]}
    payload = ProcessWebhook(source="resend", event="email.delivered", data=delivered)
    run(process_webhook, payload)
    (job,) = run.accepted(JobType.SEND_EMAIL)
    connection.execute("UPDATE job_executions SET lease_expires_at = now() WHERE status = 'processing'")
    assert run.deliver(handler, job.job_id) == 200
    (row,) = deliveries(connection)
    assert (row["status"], row["template"], row["job_id"]) == ("delivered", "welcome", job.job_id)
    assert row["sent_at"] is not None


def test_inline_too(
    handler: Any, environment: pytest.MonkeyPatch, connection: Connection, run: Runner, mailbox: Mailbox
) -> None:
    environment.setenv("JOB_DELIVERY", "inline")
    suppress(connection, "gone@example.com", "bounced")
    jobs = [run.read(enqueue(welcome(to))) for to in ("ada@example.com", "gone@example.com")]
    assert [each.status for each in jobs] == ["completed", "cancelled"]
    assert [mail.to for mail in mailbox.mails] == [["ada@example.com"]]
    assert len(deliveries(connection)) == 1
