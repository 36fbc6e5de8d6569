"""Applications as reminders see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg.rows import class_row

from shared.database import Connection
from shared.jobs.send_reminder import ReminderType, SendReminder
from shared.worker import Job

_SQL = Path(__file__).parent / "sql"
_FIND = (_SQL / "find_application.sql").read_bytes()
_LIST_DUE = (_SQL / "list_due.sql").read_bytes()
_RECORD = (_SQL / "record_reminder.sql").read_bytes()
_MARK = (_SQL / "mark_reminders.sql").read_bytes()
_OVER = {
    "complete": "the documents are complete",
    "approved": "the application was decided",
    "denied": "the application was decided",
    "withdrawn": "the application was withdrawn",
    "expired": "the application has expired",
}


@dataclass(frozen=True, slots=True)
class Application:
    """One application as of `now`, Postgres's time; `missing` are the kinds of documents that are not there.

    `expires_at` is None where that is never (infinity).
    """

    id: int
    applicant_id: int
    listing_title: str
    status: str
    created_at: datetime
    expires_at: datetime | None
    now: datetime
    reminders_ended: bool
    missing: Sequence[str]

    def why_not(self, reminder_type: ReminderType) -> str | None:
        """Why there is nothing to remind of, if so."""
        if self.status in _OVER:
            return _OVER[self.status]
        if self.expires_at is not None and self.expires_at <= self.now:
            return _OVER["expired"]
        if not self.missing:
            return _OVER["complete"]
        return "the reminders were ended" if reminder_type.in_series and self.reminders_ended else None

    def reminder_after(
        self, reminder_type: ReminderType
    ) -> tuple[ReminderType, datetime] | tuple[None, None]:
        """The next reminder of the series that is not past, and when it is due.

        Counted from the application's start: one that is late shifts no other.
        """
        for each in reminder_type.later:
            due = self.created_at + each.wait
            if due > self.now:
                return each, due
        return None, None


@dataclass(frozen=True, slots=True)
class Due:
    """An application whose reminders are to start."""

    id: int
    organization_id: int
    applicant_id: int


def find(connection: Connection, job: Job[SendReminder]) -> Application | None:
    """The application that the job is about, locked until its transaction ends; None if its organization has none."""
    with connection.cursor(row_factory=class_row(Application)) as cursor:
        return cursor.execute(_FIND, _of(job, job.payload.application_id)).fetchone()


def list_due(connection: Connection, job: Job[SendReminder], limit: int) -> list[Due]:
    """The next applications, by their ids, whose reminders are to start."""
    parameters = {
        "organization_id": job.organization_id,
        "after": job.payload.after_application_id or 0,
        "limit": limit,
    }
    with connection.cursor(row_factory=class_row(Due)) as cursor:
        return cursor.execute(_LIST_DUE, parameters).fetchall()


def record_reminder(connection: Connection, job: Job[SendReminder], application: Application) -> bool:
    """Note that the reminder is sent; whether it had not been before."""
    parameters = _of(job, application.id) | {"reminder_type": job.payload.reminder_type, "job_id": job.id}
    return connection.execute(_RECORD, parameters).rowcount == 1


def mark_series(
    connection: Connection, job: Job[SendReminder], application: Application, *, ended: bool
) -> None:
    """Note that the reminders have started, and whether that is all; one on request is not of them."""
    if job.payload.reminder_type.in_series:
        connection.execute(_MARK, _of(job, application.id) | {"ended": ended})


def _of(job: Job[SendReminder], application_id: int | None) -> dict[str, Any]:
    return {
        "organization_id": job.organization_id,
        "applicant_id": job.payload.applicant_id,
        "application_id": application_id,
    }
