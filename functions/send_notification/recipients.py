"""Whom a notice goes to, and how they want to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from psycopg.rows import class_row

from shared.database import Connection
from shared.emails.wording import fit
from shared.jobs.send_notification import SendNotification
from shared.worker import Job

_FIND = (Path(__file__).parent / "sql" / "find_recipient.sql").read_bytes()


@dataclass(frozen=True, slots=True)
class Recipient:
    """A user of the organization, with their preferences as of now.

    `suppressed` is why their address gets no more mails (bounced, complained, manual), `quiet_until` when their quiet
    hours end; both None where there is nothing of the kind. `told_over` are the channels that got the notice through
    in an earlier run of the job.
    """

    id: int
    name: str
    email: str
    phone: str | None
    organization_name: str
    channels: Sequence[str]
    muted_types: Sequence[str]
    suppressed: str | None
    told_over: Sequence[str]
    quiet_until: datetime | None

    def __post_init__(self) -> None:
        # A name is whatever a form once took.
        object.__setattr__(self, "name", fit(self.name))
        object.__setattr__(self, "organization_name", fit(self.organization_name))


def find(connection: Connection, job: Job[SendNotification], at: datetime) -> Recipient | None:
    """The job's recipient as of `at`, if they are a member or an applicant of its organization."""
    parameters = {
        "recipient_id": job.payload.recipient_id,
        "organization_id": job.organization_id,
        "job_id": job.id,
        "at": at,
    }
    with connection.cursor(row_factory=class_row(Recipient)) as cursor:
        return cursor.execute(_FIND, parameters).fetchone()
