"""Who did what."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

from functions.jobs_api.access.callers import current
from functions.jobs_api.reading.actions import list_actions
from functions.jobs_api.rendering import html

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]
_LONGEST_ID = 18  # digits


@router.get("/activity", include_in_schema=False)
def get_activity() -> Response[Any]:
    """A page of it, latest first."""
    given = (router.current_event.query_string_parameters or {}).get("before", "")
    before = int(given) if given.isascii() and given.isdecimal() and len(given) <= _LONGEST_ID else None
    return html("activity.html", page=list_actions(current(), before=before))
