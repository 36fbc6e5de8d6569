"""What the tests of send-reminder share: one application, reminding of it, and what came of that."""

from __future__ import annotations

from typing import Any

from psycopg import sql

from infra.seed import Seeded
from shared.database import Connection
from shared.jobs.send_reminder import ReminderType, SendReminder
from shared.registry import JobType
from shared.rows import Execution
from tests.integration.workers.conftest import Runner


def change(connection: Connection, seeded: Seeded, **columns: Any) -> None:
    changes = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns
    )
    query = sql.SQL("UPDATE app.applications SET {} WHERE id = %(id)s").format(changes)
    connection.execute(query, columns | {"id": seeded.day_old_application_id})


def applicant_of(connection: Connection, application_id: int) -> int:
    return int(application(connection, application_id)["applicant_id"])


def application(connection: Connection, application_id: int) -> dict[str, Any]:
    row = connection.execute("SELECT * FROM app.applications WHERE id = %s", [application_id]).fetchone()
    assert row is not None
    return row


def reminders(connection: Connection, application_id: int) -> dict[str, Any]:
    found = connection.execute(
        "SELECT reminder_type, job_id FROM app.application_reminders WHERE application_id = %s",
        [application_id],
    )
    return {row["reminder_type"]: row["job_id"] for row in found}


def remind(
    run: Runner, handler: Any, seeded: Seeded, connection: Connection, kind: str = "day1", **fields: Any
) -> Execution:
    payload = SendReminder(
        reminder_type=ReminderType(kind),
        applicant_id=applicant_of(connection, seeded.day_old_application_id),
        **{"application_id": seeded.day_old_application_id, **fields},
    )
    return run(handler, payload, organization_id=seeded.organization_id, user_id=seeded.member_id)


def following(run: Runner, *jobs: Execution) -> list[Execution]:
    """The reminders that were queued, besides the jobs given."""
    known = {job.job_id for job in jobs}
    return [job for job in run.accepted(JobType.SEND_REMINDER) if job.job_id not in known]
