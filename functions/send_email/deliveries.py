"""What the database knows of mails: which addresses get none, and what was sent."""

from __future__ import annotations

from pathlib import Path

from shared.database import Connection
from shared.emails.sending import SentEmail
from shared.emails.wording import day
from shared.jobs.send_email import SendEmail
from shared.worker import Job

_SQL = Path(__file__).parent / "sql"
_FIND_SUPPRESSION = (_SQL / "find_suppression.sql").read_bytes()
_RECORD_DELIVERY = (_SQL / "record_delivery.sql").read_bytes()
_WORDS = {"bounced": "hard bounce", "complained": "complaint", "manual": "taken off by hand"}


def find_suppression(connection: Connection, recipient: str) -> str | None:
    """Why an address gets no more mails, in words; None if it does."""
    row = connection.execute(_FIND_SUPPRESSION, {"recipient": recipient}).fetchone()
    return None if row is None else f"{_WORDS[row['reason']]} on {day(row['created_at'])}"


def record_delivery(connection: Connection, job: Job[SendEmail], sent: SentEmail) -> None:
    """Note that Resend has the mail; once more changes nothing."""
    values = {
        "provider_id": sent.id,
        "recipient": job.payload.to,
        "template": job.payload.template,
        "job_id": job.id,
    }
    connection.execute(_RECORD_DELIVERY, values)
