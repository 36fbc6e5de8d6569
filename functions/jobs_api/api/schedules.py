"""Schedules: list, pause, resume, run now."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

from functions.jobs_api.access.callers import current
from functions.jobs_api.acting import schedules as acting
from functions.jobs_api.api.app import JSON
from functions.jobs_api.reading.schedules import list_schedules
from functions.jobs_api.shapes import Done, RunNow, Schedules

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]
ScheduleId = Annotated[str, Path(min_length=1, max_length=128, description="The schedule's id.")]


@router.get("/v1/schedules", tags=["Schedules"])
def get_schedules() -> Schedules:
    """List the schedules of this stack."""
    return list_schedules(current())


@router.post("/v1/schedules/<schedule_id>/pause", tags=["Schedules"])
def pause_schedule(schedule_id: ScheduleId) -> Done:
    """Let a schedule's times pass."""
    acting.pause(current(), schedule_id)
    return Done()


@router.post("/v1/schedules/<schedule_id>/resume", tags=["Schedules"])
def resume_schedule(schedule_id: ScheduleId) -> Done:
    """Go on from a paused schedule's next time."""
    acting.resume(current(), schedule_id)
    return Done()


@router.post(
    "/v1/schedules/<schedule_id>/run", responses={202: {"description": "Set off"}}, tags=["Schedules"]
)
def run_schedule(schedule_id: ScheduleId) -> Response[RunNow]:
    """Run a schedule's job once, now."""
    return Response(202, JSON, RunNow(job_id=acting.run_now(current(), schedule_id)))
