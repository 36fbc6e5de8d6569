"""Dead letters by what went wrong."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

from functions.jobs_api.access.callers import current
from functions.jobs_api.reading.figures import dead_letter_groups, health
from functions.jobs_api.rendering import html

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]


@router.get("/dead-letters", include_in_schema=False)
def get_dead_letters() -> Response[Any]:
    """The groups, the largest first."""
    caller = current()
    found = dead_letter_groups(caller)
    # What is kept of the queue's health is some seconds old, so it is asked only where the groups do not say it.
    total = found.looked_at if found.complete else health(caller.organization_id).dead_letters
    return html("dead_letters.html", found=found, total=total)
