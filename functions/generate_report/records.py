"""What a report reads and writes in Postgres besides its figures: whose it is, who asked, and the record of the file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from functions.generate_report.snapshot import statement
from shared import database
from shared.database import Connection
from shared.jobs.generate_report import GenerateReport
from shared.worker import Job


class Organization(NamedTuple):
    """Whose report it is, on what day of theirs it was asked for, and by whom: both None where no member did."""

    name: str
    time_zone: str
    asked_on: date
    requester_email: str | None
    requester_name: str | None


def find_organization(job: Job[GenerateReport]) -> Organization | None:
    """The job's organization; None where there is no such. Raises DatabaseUnavailable."""
    asked = {"organization_id": job.organization_id, "user_id": job.user_id, "asked_at": job.created_at}
    row = database.run(
        lambda connection: connection.execute(statement("find_organization"), asked).fetchone()
    )
    return None if row is None else Organization(**row)


def insert_report(connection: Connection, report: Mapping[str, Any]) -> None:
    """Record a file that is in S3; another run of the same job has replaced the file, and replaces the record."""
    connection.execute(statement("insert_report"), report)
