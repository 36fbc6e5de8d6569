"""Cancel or replay all jobs that fit, some at a time: each call answers where the next one goes on.

A cursor only moves to older jobs, so what fails again is not met again, and what is left after a broken connection is
what was not done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from functions.jobs_api.access.actions import recorded
from functions.jobs_api.access.callers import Caller
from functions.jobs_api.errors import Refused
from functions.jobs_api.reading.cursors import Place, read_cursor, to_cursor
from functions.jobs_api.reading.listing import Found, search
from functions.jobs_api.shapes import BulkCancelRequest, BulkRequest, BulkResult, Filters
from shared import dispatcher
from shared.errors import JobHasEnded, JobNotFound, NothingToReplay

REPLAYABLE = ("failed", "cancelled")
CANCELLABLE = ("pending", "retrying", "processing")
_SECONDS = 10.0  # of one call: each cancelled job's message is withdrawn from QStash


def replay(caller: Caller, asked: BulkRequest) -> BulkResult:
    """Run dead letters (or cancelled jobs) again that fit. Raises Refused without a filter, or for other statuses."""
    filters = checked(asked.filter, REPLAYABLE, "replay")
    place = read_cursor(asked.cursor)
    with recorded("replay", **_noted(asked)) as action:
        found = search(caller, filters, asked.limit, place)
        replayed = _replayed(found.job_ids)
        action.details = {"jobs": len(replayed)}
    return BulkResult(job_ids=replayed, skipped=len(found.rows) - len(replayed), next=_next(found.next))


def cancel(caller: Caller, asked: BulkCancelRequest) -> BulkResult:
    """Cancel jobs that fit and have not ended. Raises Refused without a filter, or for other statuses."""
    filters = checked(asked.filter, CANCELLABLE, "cancel")
    place = read_cursor(asked.cursor)
    reason = asked.reason or f"cancelled by {caller.key.name}"
    with recorded("cancel many", **_noted(asked), reason=asked.reason) as action:
        found = search(caller, filters, asked.limit, place)
        done, skipped, following = _each(found, lambda job_id: dispatcher.cancel(job_id, reason))
        action.details = {"jobs": len(done)}
    return BulkResult(job_ids=done, skipped=skipped, next=_next(following))


def checked(filters: Filters, statuses: tuple[str, ...], what: str) -> Filters:
    """The filters of a bulk action, of the first of these statuses where none is given.

    Raises Refused for none at all, and for a status that cannot be acted on so.
    """
    if not filters.given:
        raise Refused(400, f"{what}: give at least one filter", [("filter", "is empty: all jobs would fit")])
    status = filters.status or statuses[0]
    if status not in statuses:
        raise Refused(
            400, f"{what} takes jobs that are {' or '.join(statuses)}", [("filter.status", f"is {status}")]
        )
    return filters.model_copy(update={"status": status})


def _replayed(job_ids: list[UUID]) -> list[UUID]:
    if not job_ids:
        return []
    try:
        return dispatcher.replay(job_ids=job_ids, limit=len(job_ids))
    except NothingToReplay:  # they all run again already
        return []


def _each(found: Found, act: Callable[[UUID], None]) -> tuple[list[UUID], int, Place | None]:
    """Act on one after the other as long as there is time; those done, how many were not, and where to go on."""
    ends_at = time.monotonic() + _SECONDS
    done: list[UUID] = []
    skipped = 0
    for row in found.rows:
        if time.monotonic() > ends_at and (done or skipped):
            return done, skipped, Place(*_before(found, len(done) + skipped))
        try:
            act(row["job_id"])
            done.append(row["job_id"])
        except (JobHasEnded, JobNotFound):
            skipped += 1
    return done, skipped, found.next


def _before(found: Found, position: int) -> tuple[Any, Any]:
    row = found.rows[position - 1]
    return row["created_at"], row["id"]


def _next(place: Place | None) -> str | None:
    return None if place is None else to_cursor(place)


def _noted(asked: BulkRequest) -> dict[str, Any]:
    return {"filter": asked.filter.given, "limit": asked.limit, "cursor": asked.cursor}
