"""Jobs in pages, newest first, by any filters at the same cost: see `sql/fragments.py` for how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from functions.jobs_api.access.callers import Caller
from functions.jobs_api.reading.batches import find_batch
from functions.jobs_api.reading.cursors import Place, read_cursor, to_cursor
from functions.jobs_api.reading.details import owner_of
from functions.jobs_api.shapes import Count, Filters, JobPage, JobSummary
from functions.jobs_api.sql import statement
from shared import database

LIMIT, MOST = 50, 200
_SCAN = 5_000  # rows that one page looks at, at most
_SCAN_ERRORS = 2_000  # where their errors are read
COUNTED = 10_000
_ENDED_BADLY = {"failed", "cancelled"}
_FILTERS = (
    "type",
    "status",
    "user_id",
    "organization_id",
    "schedule_id",
    "batch_id",
    "parent_job_id",
    "error",
    "error_group",
)


class Drive(NamedTuple):
    """The filters that an index serves together, by the names of the statements' values."""

    serves: Callable[[Filters], bool]
    filters: tuple[str, ...]
    read_from: str


# The first that serves what is asked for; each has fewer rows than those after it.
DRIVES = (
    # Where an organization is given it drives too: how far a search came must not tell of another's jobs.
    Drive(
        lambda asked: asked.idempotency_key is not None and asked.organization_id is not None,
        ("idempotency_key", "organization_id"),
        "job_executions_key",
    ),
    Drive(lambda asked: asked.idempotency_key is not None, ("idempotency_key",), "job_executions_key"),
    Drive(lambda asked: asked.batch_id is not None, ("batch_id",), "job_executions_members"),
    Drive(lambda asked: asked.parent_job_id is not None, ("parent_job_id",), "job_executions_children"),
    Drive(
        lambda asked: asked.schedule_id is not None and not asked.organization_id,
        ("schedule_id",),
        "job_executions_schedule",
    ),
    Drive(
        lambda asked: asked.user_id is not None and not asked.organization_id,
        ("user_id",),
        "job_executions_user",
    ),
    Drive(
        lambda asked: asked.organization_id is not None and asked.status not in {None, "completed"},
        ("organization_id", "status"),
        "job_executions_organization_status",
    ),
    Drive(
        lambda asked: asked.organization_id is not None, ("organization_id",), "job_executions_organization"
    ),
    Drive(
        lambda asked: asked.type is not None and asked.status in _ENDED_BADLY,
        ("type", "status"),
        "job_executions_type_ended",
    ),
    Drive(lambda asked: asked.status not in {None, "completed"}, ("status",), "job_executions_status"),
    Drive(lambda asked: asked.type is not None, ("type",), "job_executions_type"),
    Drive(lambda _asked: True, (), "job_executions_created"),
)
_BY = {
    "idempotency_key": "by_key",
    "batch_id": "by_batch",
    "parent_job_id": "by_parent",
    "schedule_id": "by_schedule",
    "user_id": "by_user",
    "organization_id": "by_organization",
    "type": "by_type",
    "status": "by_status",
}
_NAMED = {"type": "job_type"}


@dataclass(frozen=True, slots=True)
class Found:
    """Jobs that fit, and where to go on; `searched_to` where the search stopped before it found as many as asked."""

    rows: list[dict[str, Any]]
    next: Place | None
    searched_to: datetime | None

    @property
    def job_ids(self) -> list[UUID]:
        """Their ids."""
        return [row["job_id"] for row in self.rows]


def list_jobs(caller: Caller, filters: Filters, limit: int = LIMIT, cursor: str | None = None) -> JobPage:
    """A page of the jobs that fit and that the caller sees. Raises Refused for a broken cursor."""
    found = search(caller, filters, limit, read_cursor(cursor))
    jobs = [JobSummary.model_validate({**row, "type": row["job_type"]}) for row in found.rows]
    following = None if found.next is None else to_cursor(found.next)
    return JobPage(jobs=jobs, next=following, searched_to=found.searched_to)


def search(caller: Caller, filters: Filters, limit: int, place: Place | None) -> Found:
    """The jobs after this place that fit and that the caller sees."""
    scoped = in_scope(caller, filters)
    scan = scan_of(scoped, limit)
    values = values_of(scoped, place) | {"limit": limit + 1, "scan": scan}
    rows = database.run(lambda kept: kept.execute(statement("list_jobs"), values).fetchall())
    return _found(rows, limit, scan)


def count_jobs(caller: Caller, filters: Filters) -> Count:
    """How many jobs fit, of the newest ten thousand that are looked at."""
    scoped = in_scope(caller, filters)
    values = values_of(scoped, None) | {"scan": COUNTED}
    row = database.run(lambda kept: kept.execute(statement("count_jobs"), values).fetchone())
    assert row is not None  # noqa: S101  # an aggregate always has its one row
    return Count(count=row["fitting"], complete=row["scanned"] < COUNTED)


def in_scope(caller: Caller, filters: Filters) -> Filters:
    """The filters within the caller's organization; who asks for an error means dead letters unless told otherwise.

    Raises Refused or JobNotFound for a batch or a parent that the caller does not see.
    """
    if caller.organization_id is not None:
        _require_seen(caller, filters)
    changes: dict[str, Any] = {"organization_id": caller.scoped(filters.organization_id)}
    if filters.status is None and (filters.error or filters.error_group):
        changes["status"] = "failed"
    return filters.model_copy(update=changes)


def _require_seen(caller: Caller, filters: Filters) -> None:
    """What belongs to another's batch or job tells of it, if only how far it was searched."""
    if filters.batch_id is not None:
        find_batch(caller, filters.batch_id)
    if filters.parent_job_id is not None:
        owner_of(caller, filters.parent_job_id)


def drive_of(filters: Filters) -> Drive:
    """The index that such a list is read from."""
    return next(drive for drive in DRIVES if drive.serves(filters))


def scan_of(filters: Filters, limit: int) -> int:
    """How many rows may be looked at: one more than asked for, where all that the index finds fit."""
    driving = drive_of(filters).filters
    others = [name for name in _FILTERS if name not in driving and getattr(filters, name) is not None]
    if not others:
        return limit + 1
    return _SCAN_ERRORS if {"error", "error_group"} & set(others) else _SCAN


def values_of(filters: Filters, place: Place | None) -> dict[str, Any]:
    """The statements' values: each filter either drives or is asked of what is found."""
    driving = drive_of(filters).filters
    given = {name: getattr(filters, name) for name in (*_FILTERS, "idempotency_key")}
    driven = {by: given[name] if name in driving else None for name, by in _BY.items()}
    asked = {_NAMED.get(name, name): None if name in driving else given[name] for name in _FILTERS}
    return {
        **driven,
        **asked,
        "created_after": filters.created_after,
        "created_before": filters.created_before,
        "cursor_at": None if place is None else place.at,
        "cursor_id": None if place is None else place.id,
    }


def _found(rows: list[dict[str, Any]], limit: int, scan: int) -> Found:
    looked = rows[0]  # there is always one, also where nothing was found
    jobs = [row for row in rows if row["id"] is not None]
    if len(jobs) > limit:
        return Found(jobs[:limit], _place(jobs[limit - 1]), None)
    if looked["scanned"] < scan:
        return Found(jobs, None, None)
    return Found(jobs, Place(looked["scanned_to"], looked["scanned_to_id"]), looked["scanned_to"])


def _place(row: dict[str, Any]) -> Place:
    return Place(row["created_at"], row["id"])
