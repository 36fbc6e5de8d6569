"""One job whole, and whose it is."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from functions.jobs_api.access.callers import Caller
from functions.jobs_api.shapes import Job
from functions.jobs_api.sql import statement
from functions.jobs_api.sql.fragments import SHOWN_CHILDREN
from shared import database
from shared.columns import REDACTED
from shared.errors import JobNotFound
from shared.redaction import redacted
from shared.registry import is_sensitive

_SCAN = 1_000  # of a job's children, where they may be another organization's


class Owner(NamedTuple):
    """What of a job never changes."""

    job_type: str
    organization_id: int | None


def show_job(caller: Caller, job_id: UUID) -> Job:
    """The job, without what is sensitive. Raises JobNotFound, also for one that the caller does not see."""
    scan = SHOWN_CHILDREN + 1 if caller.organization_id is None else _SCAN
    values = {"job_id": job_id, "organization_id": caller.organization_id, "scan": scan}
    row = database.run(lambda kept: kept.execute(statement("show_job"), values).fetchone())
    if row is None:
        raise JobNotFound(job_id)
    return Job.model_validate(_shown(row))


def owner_of(caller: Caller, job_id: UUID) -> Owner:
    """Whose job it is. Raises JobNotFound, also for one that the caller does not see."""
    row = database.run(lambda kept: kept.execute(statement("find_owner"), {"job_id": job_id}).fetchone())
    if row is None or not caller.sees(row["organization_id"]):
        raise JobNotFound(job_id)
    return Owner(**row)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    job_type = row["job_type"]
    sensitive = is_sensitive(job_type) or row["sealed"]
    shown = row | {"type": job_type, "error": row["full_error"], "sensitive": sensitive}
    children = row["children"]
    shown |= {"children": children[:SHOWN_CHILDREN], "more_children": len(children) > SHOWN_CHILDREN}
    if sensitive:  # also what was written before its type was marked, and is not sealed
        shown |= {"payload": REDACTED, "result": None if row["result"] is None else REDACTED}
    else:
        shown["payload"] = redacted(job_type, row["payload"])
    return shown
