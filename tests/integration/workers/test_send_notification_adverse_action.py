"""An adverse action is always told, with all that the law wants in it, and its credit data stays out of sight."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg import sql

from infra.local.background import Background
from infra.local.mailbox import Mailbox
from infra.seed import Seeded
from shared import database, dispatcher, fault_points
from shared.database import Connection
from shared.fault_points import Crash, FaultPoint
from shared.registry import JobType, get_job_config
from shared.testing import Jobs
from tests.integration.workers.conftest import LEASE, Runner
from tests.integration.workers.notifying import (
    SCORE,
    adverse_action,
    email_of,
    listening_mailbox,
    payload_of,
    prefer,
    result_of,
    rows_of,
    suppress,
)

TOLD = {"channels": {"in_app": "delivered", "email": "sent"}}


@pytest.fixture(autouse=True)
def mailbox(background: Background, environment: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    yield from listening_mailbox(background, environment)


@pytest.fixture
def handler(mailbox: Mailbox) -> Any:
    from functions.send_notification.handler import handler

    return handler


@pytest.fixture
def recipient(seeded: Seeded) -> int:
    return seeded.applicant_id


def test_it_says_all_that_the_law_wants_said(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    job = run(handler, adverse_action(recipient), organization_id=seeded.organization_id)

    assert result_of(connection, job.job_id) == TOLD
    (mail,) = mailbox.mails
    assert mail.to == [email_of(connection, recipient)]
    for part in (
        "We have denied your application for Two bedrooms on Elm Street.",
        "On 1 May 2026, ",
        "based in whole or in part on information in a consumer report",
        "Example Tenant Screening, Inc.\nP.O. Box 100\nSpringfield, IL 62701\nToll-free: 800-555-0199",
        "The agency did not make the decision and cannot explain why it was made.",
        "free copy of your report from the agency, if you ask for it within 60 days",
        "the right to dispute with the agency the accuracy or completeness",
        f"Your credit score: {SCORE}",
        "Lowest and highest possible score: 300 to 850",
        "Made on: 28 April 2026",
        "Provided by: Example Scores LLC",
        "- Too many accounts with balances\n- Length of time accounts have been open",
    ):
        assert part in mail.text, part
        assert part.split("\n")[0] in mail.html, part
    assert "denied" not in mail.subject


def test_without_a_score_nothing_is_said_of_one(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, mailbox: Mailbox
) -> None:
    run(handler, adverse_action(recipient, creditScore=None), organization_id=seeded.organization_id)

    assert "score" not in mailbox.mails[0].text


@pytest.mark.parametrize(
    "preferences",
    [
        {"channels": []},
        {"channels": ["sms"]},
        {"muted_types": ["reminder", "confirmation"]},
        {"quiet_hours_start": "00:00", "quiet_hours_end": "23:59:59"},
    ],
)
def test_no_preference_and_no_quiet_hours_hold_it_back(
    run: Runner,
    handler: Any,
    seeded: Seeded,
    recipient: int,
    connection: Connection,
    mailbox: Mailbox,
    preferences: dict[str, Any],
) -> None:
    prefer(connection, recipient, **preferences)

    job = run(handler, adverse_action(recipient), organization_id=seeded.organization_id)

    assert result_of(connection, job.job_id) == TOLD
    assert len(mailbox.mails) == 1


# --- what cannot be mailed ---------------------------------------------------------------------------------


def test_a_suppressed_address_is_a_dead_letter_and_the_app_tells(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    suppress(connection, recipient)

    job = run(handler, adverse_action(recipient), organization_id=seeded.organization_id)

    assert (job.status, job.attempt) == ("failed", 1)
    assert job.error == (
        "not told over email: the address gets no more mails: bounced: "
        "mend it and retry the job, or reach them another way"
    )
    rows = rows_of(connection, job.job_id)
    assert (rows["in_app"]["status"], rows["email"]["status"]) == ("delivered", "failed")
    assert mailbox.mails == []


def test_an_address_that_takes_no_mail_is_a_dead_letter(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection
) -> None:
    connection.execute("UPDATE app.users SET email = 'gone@nowhere' WHERE id = %s", [recipient])

    job = run(handler, adverse_action(recipient), organization_id=seeded.organization_id)

    assert job.status == "failed"
    assert rows_of(connection, job.job_id)["email"]["error"] == "the address is none that takes mail"


def test_a_mended_dead_letter_is_mailed_and_the_app_tells_once(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    suppress(connection, recipient)
    job = run(handler, adverse_action(recipient), organization_id=seeded.organization_id)
    shown = rows_of(connection, job.job_id)["in_app"]
    connection.execute("DELETE FROM app.email_suppressions")

    dispatcher.retry(job.job_id)
    assert run.deliver(handler, job.job_id) == 200

    rows = rows_of(connection, job.job_id)
    assert rows["in_app"] == shown
    assert (rows["email"]["status"], rows["email"]["error"]) == ("sent", None)
    assert len(mailbox.mails) == 1


def test_while_resend_is_down_the_app_tells_already(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, mailbox: Mailbox
) -> None:
    mailbox.fail_next(4, status=503)
    job_id = dispatcher.enqueue(adverse_action(recipient), organization_id=seeded.organization_id)

    answers = [run.deliver(handler, job_id) for _ in range(4)]

    assert answers == [500, 500, 500, 489]
    assert run.read(job_id).status == "failed"
    assert rows_of(connection, job_id).keys() == {"in_app"}
    assert mailbox.mails == []


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
    job_id = dispatcher.enqueue(adverse_action(recipient), organization_id=seeded.organization_id)
    with fault_points.armed(point), pytest.raises(Crash):
        run.deliver(handler, job_id)
    database.discard()
    jobs.advance(LEASE)

    assert run.deliver(handler, job_id) == 200

    assert len(mailbox.mails) == 1
    rows = rows_of(connection, job_id)
    assert {channel: row["status"] for channel, row in rows.items()} == TOLD["channels"]


# --- privacy -----------------------------------------------------------------------------------------------


def test_the_app_keeps_no_score(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection
) -> None:
    job = run(handler, adverse_action(recipient), organization_id=seeded.organization_id)

    body = rows_of(connection, job.job_id)["in_app"]["body"]
    assert "Example Tenant Screening, Inc." in body
    assert "within 60 days" in body
    assert "what weighed on it are in the letter that goes to your address" in body
    assert "balances" not in body


@pytest.mark.parametrize("suppressed", [False, True])
def test_the_score_stands_nowhere_in_the_database(
    run: Runner, handler: Any, seeded: Seeded, recipient: int, connection: Connection, suppressed: bool
) -> None:
    if suppressed:
        suppress(connection, recipient)

    job = run(handler, adverse_action(recipient), organization_id=seeded.organization_id)

    assert payload_of(connection, job.job_id)["templateData"]["creditScore"]["score"] == SCORE
    for table in ("public.job_executions", "app.notifications", "app.email_deliveries"):
        schema, name = table.split(".")
        rows = connection.execute(
            sql.SQL("SELECT * FROM {}.{} WHERE job_id = %s").format(
                sql.Identifier(schema), sql.Identifier(name)
            ),
            [job.job_id],
        ).fetchall()
        readable = [{**row, "payload": None, "result": None} for row in rows]  # sealed: random letters
        assert "balances" not in str(rows), table
        assert f" {SCORE}" not in str(readable), table


def test_its_jobs_are_sensitive() -> None:
    assert get_job_config(JobType.SEND_NOTIFICATION).sensitive
