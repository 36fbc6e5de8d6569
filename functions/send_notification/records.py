"""What the database keeps of a notice: a row in app.notifications for each channel, and the mail's delivery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from functions.send_notification.channels import Told
from functions.send_notification.notices import Notice
from functions.send_notification.recipients import Recipient
from shared.database import Connection
from shared.emails.deliveries import record_delivery
from shared.jobs.send_notification import SendNotification
from shared.worker import Job

_RECORD_NOTIFICATION = (Path(__file__).parent / "sql" / "record_notification.sql").read_bytes()


def record(
    connection: Connection,
    job: Job[SendNotification],
    recipient: Recipient,
    notice: Notice,
    told: Mapping[str, Told],
) -> None:
    """Write what became of the notice on each channel; once more changes nothing that got through."""
    for channel, outcome in told.items():
        connection.execute(
            _RECORD_NOTIFICATION, _row(job, recipient, notice) | asdict(outcome) | {"channel": channel}
        )
    mail = told.get("email")
    if mail is not None and mail.provider_id is not None:
        record_delivery(
            connection,
            provider_id=mail.provider_id,
            recipient=recipient.email,
            template=notice.mail.template,
            job_id=job.id,
        )


def _row(job: Job[SendNotification], recipient: Recipient, notice: Notice) -> dict[str, Any]:
    return {
        "organization_id": job.organization_id,
        "recipient_id": recipient.id,
        "type": job.payload.type,
        "template_id": job.payload.template_id,
        "subject": notice.subject,
        "body": notice.body,
        "data": Jsonb({"link": asdict(notice.link)} if notice.link else {}),
        "job_id": job.id,
    }
