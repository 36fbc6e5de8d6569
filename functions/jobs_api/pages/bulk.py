"""Act on all that fit: how many that are, then some at a time, with progress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

from functions.jobs_api.access.callers import current
from functions.jobs_api.acting import bulk as acting
from functions.jobs_api.errors import Refused
from functions.jobs_api.pages.asked import Asked, read_filters
from functions.jobs_api.pages.gate import form
from functions.jobs_api.reading.listing import count_jobs
from functions.jobs_api.rendering import html
from functions.jobs_api.shapes import BulkCancelRequest, BulkRequest, BulkResult

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]
_AT_ONCE = 100
_ACTIONS = {
    "replay": {"title": "Replay", "verb": "Run again", "done": "run again", "statuses": acting.REPLAYABLE},
    "cancel": {"title": "Cancel", "verb": "Cancel", "done": "cancelled", "statuses": acting.CANCELLABLE},
}


@router.get("/bulk/<action>", include_in_schema=False)
def get_preview(action: str) -> Response[Any]:
    """How many it would be, and of what."""
    about = _about(action)
    asked = _asked(router.current_event.query_string_parameters or {})
    filters = acting.checked(asked.filters, about["statuses"], action)
    return html("bulk.html", action=action, about=about, asked=asked, status_asked=filters.status,
                count=count_jobs(current(), filters))  # fmt: skip


@router.post("/bulk/<action>", include_in_schema=False)
def act(action: str) -> Response[Any]:
    """Act on some, and show how far that is."""
    about, given = _about(action), form()
    asked = _asked(given)
    result = _act(action, asked, given.get("cursor") or None)
    done = _number(given.get("done")) + len(result.job_ids)
    skipped = _number(given.get("skipped")) + result.skipped
    total = max(_number(given.get("total")), done + skipped)
    return html("bulk_progress.html", action=action, about=about, asked=asked, done=done, skipped=skipped,
                total=total, next=result.next)  # fmt: skip


def _act(action: str, asked: Asked, cursor: str | None) -> BulkResult:
    caller = current()
    if action == "replay":
        return acting.replay(caller, BulkRequest(filter=asked.filters, limit=_AT_ONCE, cursor=cursor))
    return acting.cancel(caller, BulkCancelRequest(filter=asked.filters, limit=_AT_ONCE, cursor=cursor))


def _about(action: str) -> Mapping[str, Any]:
    if action not in _ACTIONS:
        raise Refused(404, "there is nothing at this path")
    return _ACTIONS[action]


def _asked(given: Mapping[str, str]) -> Asked:
    """The filters, all of which must be right: one left out would take more jobs than meant."""
    asked = read_filters(given)
    if asked.problems:
        raise Refused(400, "a filter is wrong", list(asked.problems.items()))
    return asked


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 12 else 0
