"""Deletes data past its retention in batches, and carries on in a next job where it does not get through."""

from __future__ import annotations

from collections import Counter

from functions.cleanup_old_data.deleting import OldRows
from functions.cleanup_old_data.files import FILES, ExpiredFiles
from functions.cleanup_old_data.tables import TABLES
from shared.envelope import WireModel
from shared.jobs.cleanup_old_data import CleanupOldData
from shared.outcomes import Cancel, Complete
from shared.settings import DispatcherSettings, StorageSettings
from shared.worker import Job, job_worker

_ENOUGH = 30.0  # seconds for another batch


class CleanedUp(WireModel):
    """The job's result: how many were deleted, by table, in this job and those before it in its chain.

    In a dry run it is how many would be. Not `finished`: a next job goes on.
    """

    deleted: dict[str, int]
    finished: bool = True
    dry_run: bool = False


@job_worker(CleanupOldData, needs=[DispatcherSettings, StorageSettings])
def handler(job: Job[CleanupOldData]) -> Complete | Cancel:
    """Delete until nothing is left, the time is short or the job is cancelled; any of it may be done again."""
    works = _works(job)
    if job.payload.dry_run:
        return Complete(CleanedUp(deleted={work.name: work.count() for work in works}, dry_run=True))
    deleted = Counter({work.name: 0 for work in works} | job.payload.carried)
    for work in works:
        for batch in work.delete():
            deleted[work.name] += batch
            job.progress(deleted.total(), message=f"deleted from {work.name}")
            if job.cancelled:
                return Cancel("cancelled; what was deleted stays deleted")
            if batch and job.seconds_left < _ENOUGH:  # something was done, so a chain of such jobs ends
                return _carry_on(job.payload, deleted)
    return Complete(CleanedUp(deleted=deleted))


def _carry_on(payload: CleanupOldData, deleted: Counter[str]) -> Complete:
    rest = payload.model_copy(update={"carried": dict(deleted)})
    return Complete(CleanedUp(deleted=deleted, finished=False), then=[rest])


def _works(job: Job[CleanupOldData]) -> list[OldRows | ExpiredFiles]:
    """What is to be done: tables kept for good are left out, and for one organization those that have none."""
    rows = [
        OldRows(table, days, job.organization_id, _archive(job, table.name))
        for table in TABLES
        if (days := table.days(job.payload.retention)) is not None
        and (table.has_organization or job.organization_id is None)
    ]
    return [*rows, *(ExpiredFiles(table, job.organization_id) for table in FILES)]


def _archive(job: Job[CleanupOldData], table: str) -> str | None:
    """What the keys of a table's archive begin with. The attempt is in it: no attempt replaces another's files."""
    day = f"{job.created_at:%Y-%m-%d}"
    return f"archive/{table}/{day}/{job.id}-{job.attempt}" if job.payload.archive else None
