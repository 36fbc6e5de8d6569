"""send-notification: reminders and confirmations over the channels their recipient prefers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from infra.local.background import Background
from infra.local.mailbox import Mailbox
from infra.seed import Seeded
from shared.database import Connection
from shared.jobs.send_notification import SendNotification
from tests.integration.workers.conftest import Runner
from tests.integration.workers.notifying import (
    confirmation,
    email_of,
    listening_mailbox,
    prefer,
    reminder,
    result_of,
    rows_of,
    suppress,
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


def test_a_reminder_reaches_app_and_mailbox(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    job = run(handler, reminder(recipient), organization_id=seeded.organization_id)

    assert job.status == "completed"
    assert result_of(connection, job.job_id) == {"channels": {"email": "sent", "in_app": "delivered"}}
    rows = rows_of(connection, job.job_id)
    (mail,) = mailbox.mails
    assert (mail.to, mail.idempotency_key) == ([email_of(connection, recipient)], str(job.job_id))
    assert mail.subject == "Your application for Two bedrooms on Elm Street is not complete yet"
    assert "Pay stub" in mail.text
    assert (rows["email"]["status"], rows["email"]["provider_id"]) == ("sent", mail.id)
    in_app = rows["in_app"]
    assert (in_app["status"], in_app["organization_id"], in_app["recipient_id"]) == (
        "delivered",
        seeded.organization_id,
        recipient,
    )
    assert (in_app["type"], in_app["template_id"]) == ("reminder", "applicationReminder")
    assert in_app["body"] == (
        "Still missing:\n- Photo ID\n- Pay stub\n\nThe application ends on 1 May 2026 at 09:30 UTC."
    )
    assert in_app["data"] == {
        "link": {"label": "Continue application", "url": "https://app.example.com/applications/1"}
    }


def test_a_confirmation_says_what_was_received(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    job = run(handler, confirmation(recipient), organization_id=seeded.organization_id)

    (mail,) = mailbox.mails
    assert mail.subject == "We have received your application for Two bedrooms on Elm Street"
    assert "https://app.example.com/applications/1" in mail.text
    body = rows_of(connection, job.job_id)["in_app"]["body"]
    assert "1 May 2026 at 09:30 UTC" in body
    assert body.split("\n\n")[0] in mail.text


def test_the_mails_delivery_is_known_to_the_webhook(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    job = run(handler, reminder(recipient), organization_id=seeded.organization_id)

    row = connection.execute("SELECT * FROM app.email_deliveries WHERE job_id = %s", [job.job_id]).fetchone()
    assert row is not None
    assert (row["provider_id"], row["recipient"], row["template"], row["status"]) == (
        mailbox.mails[0].id,
        email_of(connection, recipient),
        "applicationReminder",
        "sent",
    )


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        (["in_app"], {"in_app": "delivered"}),
        (["email"], {"email": "sent"}),
        (["sms", "push", "in_app"], {"sms": "skipped", "push": "skipped", "in_app": "delivered"}),
    ],
)
def test_only_the_channels_preferred(
    run: Runner,
    handler: Any,
    seeded: Seeded,
    recipient: int,
    connection: Connection,
    mailbox: Mailbox,
    channels: list[str],
    told: dict[str, str],
) -> None:
    prefer(connection, recipient, channels=channels)

    job = run(handler, reminder(recipient), organization_id=seeded.organization_id)

    assert result_of(connection, job.job_id) == {"channels": told}
    rows = rows_of(connection, job.job_id)
    assert {channel: row["status"] for channel, row in rows.items()} == told
    assert len(mailbox.mails) == ("email" in channels)
    if "sms" in channels:
        assert rows["sms"]["error"] == "no provider is configured for this channel"


@pytest.mark.parametrize("preferences", [{"muted_types": ["reminder"]}, {"channels": []}])
def test_who_does_not_want_to_be_told_is_not(
    run: Runner,
    handler: Any,
    seeded: Seeded,
    recipient: int,
    connection: Connection,
    mailbox: Mailbox,
    preferences: dict[str, Any],
) -> None:
    prefer(connection, recipient, **preferences)

    job = run(handler, reminder(recipient), organization_id=seeded.organization_id)

    assert (job.status, job.error) == ("cancelled", "the recipient does not want to be told: reminder")
    assert (rows_of(connection, job.job_id), mailbox.mails) == ({}, [])


def test_a_muted_reminder_does_not_mute_a_confirmation(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection
) -> None:
    prefer(connection, recipient, muted_types=["reminder"])

    assert run(handler, confirmation(recipient), organization_id=seeded.organization_id).status == "completed"


def test_a_suppressed_address_gets_no_mail(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    suppress(connection, recipient)

    job = run(handler, reminder(recipient), organization_id=seeded.organization_id)

    rows = rows_of(connection, job.job_id)
    assert job.status == "completed"
    assert (rows["email"]["status"], rows["email"]["error"]) == (
        "skipped",
        "the address gets no more mails: bounced",
    )
    assert rows["in_app"]["status"] == "delivered"
    assert mailbox.mails == []


# --- nobody to tell ----------------------------------------------------------------------------------------


def test_a_recipient_of_another_organization_is_like_none(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    jobs = [
        run(handler, reminder(recipient), organization_id=seeded.other_organization_id),
        run(handler, reminder(seeded.member_id), organization_id=seeded.other_organization_id),
        run(handler, reminder(2**31), organization_id=seeded.organization_id),
    ]

    assert {(job.status, job.error) for job in jobs} == {("failed", "the organization has no such recipient")}
    assert ([rows_of(connection, job.job_id) for job in jobs], mailbox.mails) == ([{}, {}, {}], [])


def test_a_member_can_be_told(run: Runner, handler: Any, seeded: Seeded) -> None:
    job = run(handler, confirmation(seeded.member_id), organization_id=seeded.organization_id)

    assert job.status in {"completed", "cancelled"}  # as the member prefers


def test_without_an_organization_it_fails_for_good(run: Runner, handler: Any, recipient: int) -> None:
    job = run(handler, reminder(recipient))

    assert (job.status, job.attempt) == ("failed", 1)
    assert "enqueue it with organization_id" in (job.error or "")


# --- hostile and odd ---------------------------------------------------------------------------------------


def test_names_are_text_and_fit(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    name = '<img src=x onerror="alert(1)">{{ 7 * 7 }}\nBcc: x@example.com ' + "x" * 200
    connection.execute("UPDATE app.users SET name = %s WHERE id = %s", [name, recipient])

    job = run(handler, confirmation(recipient), organization_id=seeded.organization_id)

    assert job.status == "completed"
    (mail,) = mailbox.mails
    assert "<img" not in mail.html
    assert "{{ 7 * 7 }} Bcc: x@example.com" in mail.text
    assert "<img" in rows_of(connection, job.job_id)["in_app"]["body"]  # plain text, which its page escapes


def test_unknown_fields_of_a_newer_producer_are_ignored(
    run: Runner, handler: Any, seeded: Seeded, recipient: int
) -> None:
    wire = reminder(recipient).model_dump(mode="json", by_alias=True)
    newer = wire | {"addedLater": 1, "templateData": wire["templateData"] | {"addedLater": {"deep": []}}}

    assert SendNotification.model_validate(newer, extra="ignore") == reminder(recipient)
