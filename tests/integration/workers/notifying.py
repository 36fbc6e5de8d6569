"""What the tests of reminders and notices share: samples, a mailbox, and a look into sealed jobs."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from psycopg import sql

from infra.local.background import Background
from infra.local.mailbox import Mailbox
from infra.payload_keys import new_entry
from shared import sealing
from shared.database import Connection
from shared.jobs.send_notification import ApplicationReceived, ApplicationReminder, SendNotification

SCORE = 613  # stands nowhere else
ADVERSE: dict[str, Any] = {
    "action": "We have denied your application for Two bedrooms on Elm Street.",
    "decidedOn": "2026-05-01",
    "agency": {
        "name": "Example Tenant Screening, Inc.",
        "address": "P.O. Box 100\nSpringfield, IL 62701",
        "tollFreePhone": "800-555-0199",
    },
    "creditScore": {
        "score": SCORE,
        "lowest": 300,
        "highest": 850,
        "scoredOn": "2026-04-28",
        "source": "Example Scores LLC",
        "keyFactors": ["Too many accounts with balances", "Length of time accounts have been open"],
    },
}


def adverse_action(recipient_id: int, **changes: Any) -> SendNotification:
    """A notice with every part, some changed."""
    return SendNotification(
        type="adverse_action",
        recipient_id=recipient_id,
        template_id="adverseAction",
        template_data=copy.deepcopy(ADVERSE) | changes,
    )


def reminder(recipient_id: int) -> SendNotification:
    """A reminder of an application."""
    data = ApplicationReminder(
        listing_title="Two bedrooms on Elm Street",
        missing=["Photo ID", "Pay stub"],
        continue_url="https://app.example.com/applications/1",
        expires_at=datetime(2026, 5, 1, 9, 30, tzinfo=UTC),
    )
    return SendNotification(recipient_id=recipient_id, template_data=data)


def confirmation(recipient_id: int) -> SendNotification:
    """A confirmation that an application was handed in."""
    data = ApplicationReceived(
        listing_title="Two bedrooms on Elm Street",
        received_at=datetime(2026, 5, 1, 9, 30, tzinfo=UTC),
        application_url="https://app.example.com/applications/1",
    )
    return SendNotification(recipient_id=recipient_id, template_data=data)


def listening_mailbox(background: Background, environment: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    """A mailbox that the worker's mails arrive in, and keys for what it seals."""
    mailbox = Mailbox(port=0)
    background.call(mailbox.start())
    environment.setenv("RESEND_API_KEY", "re_test")
    environment.setenv("RESEND_API_URL", mailbox.url)
    environment.setenv("PAYLOAD_KEYS", new_entry())
    yield mailbox
    background.call(mailbox.stop())


def payload_of(connection: Connection, job_id: UUID) -> dict[str, Any]:
    """What a sealed job was given."""
    return _opened(connection, job_id, "payload", sealing.payload_of(job_id))


def result_of(connection: Connection, job_id: UUID) -> dict[str, Any]:
    """What a sealed job returned."""
    return _opened(connection, job_id, "result", sealing.result_of(job_id))


def _opened(connection: Connection, job_id: UUID, what: str, place: str) -> dict[str, Any]:
    query = sql.SQL("SELECT {}::text AS stored, {} AS key FROM job_executions WHERE job_id = %s")
    row = connection.execute(
        query.format(sql.Identifier(what), sql.Identifier(f"{what}_key")), [job_id]
    ).fetchone()
    assert row is not None
    assert row["key"] is not None, "it is not sealed"
    opened: dict[str, Any] = json.loads(sealing.unseal(row["stored"], row["key"], place))
    return opened


def prefer(connection: Connection, user_id: int, **preferences: Any) -> None:
    """Set how a user wants to be told; what is not named is as it is for everybody."""
    connection.execute("DELETE FROM app.notification_preferences WHERE user_id = %s", [user_id])
    names = ["user_id", *preferences]
    query = sql.SQL("INSERT INTO app.notification_preferences ({}) VALUES ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join([sql.Placeholder()] * len(names))
    )
    connection.execute(query, [user_id, *preferences.values()])


def email_of(connection: Connection, user_id: int) -> str:
    """A user's address."""
    row = connection.execute("SELECT email FROM app.users WHERE id = %s", [user_id]).fetchone()
    assert row is not None
    return str(row["email"])


def suppress(connection: Connection, user_id: int) -> None:
    """No more mails to a user's address, which bounced."""
    connection.execute(
        "INSERT INTO app.email_suppressions (email, reason) VALUES (%s, 'bounced')",
        [email_of(connection, user_id).lower()],
    )


def rows_of(connection: Connection, job_id: UUID) -> dict[str, dict[str, Any]]:
    """What app.notifications has of a job, by channel."""
    found = connection.execute("SELECT * FROM app.notifications WHERE job_id = %s", [job_id]).fetchall()
    return {row["channel"]: row for row in found}
