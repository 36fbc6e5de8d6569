"""Schedules with their next runs, and what can be done to them."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

from functions.jobs_api.access.callers import current
from functions.jobs_api.acting import schedules as acting
from functions.jobs_api.reading.schedules import list_schedules
from functions.jobs_api.rendering import html, redirect

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]
_NOTICES = {
    "paused": "The schedule is paused: its times pass.",
    "resumed": "The schedule runs again, from its next time on.",
    "run": "A run was set off. It is among the jobs once its worker has begun.",
}


@router.get("/schedules", include_in_schema=False)
def get_schedules() -> Response[Any]:
    """All of them."""
    notice = _NOTICES.get((router.current_event.query_string_parameters or {}).get("done", ""))
    return html("schedules.html", schedules=list_schedules(current()).schedules, notice=notice)


@router.post("/schedules/<schedule_id>/pause", include_in_schema=False)
def pause(schedule_id: str) -> Response[Any]:
    """Let its times pass."""
    acting.pause(current(), schedule_id)
    return redirect("/schedules?done=paused")


@router.post("/schedules/<schedule_id>/resume", include_in_schema=False)
def resume(schedule_id: str) -> Response[Any]:
    """Go on from its next time."""
    acting.resume(current(), schedule_id)
    return redirect("/schedules?done=resumed")


@router.post("/schedules/<schedule_id>/run", include_in_schema=False)
def run(schedule_id: str) -> Response[Any]:
    """Set off one run more."""
    acting.run_now(current(), schedule_id)
    return redirect("/schedules?done=run")
