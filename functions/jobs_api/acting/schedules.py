"""Pause a schedule, resume it, or run it now."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from functions.jobs_api.access.actions import recorded
from functions.jobs_api.access.callers import Caller
from functions.jobs_api.reading.schedules import find_schedule
from shared import schedules
from shared.schedule_runs import run_now as deliver_now
from shared.settings import DispatcherSettings


def pause(caller: Caller, schedule_id: str) -> None:
    """Let its times pass. Raises ScheduleNotFound or PublishFailed."""
    _act(caller, schedule_id, "pause schedule", schedules.pause)


def resume(caller: Caller, schedule_id: str) -> None:
    """Go on from its next time. Raises ScheduleNotFound or PublishFailed."""
    _act(caller, schedule_id, "resume schedule", schedules.resume)


def run_now(caller: Caller, schedule_id: str) -> UUID:
    """Set off one run more; its job id. Raises ScheduleNotFound or PublishFailed."""
    caller.require_write()
    kept = find_schedule(caller, schedule_id)
    with recorded("run schedule", schedule_id) as action:
        job_id = deliver_now(kept, DispatcherSettings.load())
        action.details = {"job_id": str(job_id)}
    return job_id


def _act(caller: Caller, schedule_id: str, name: str, act: Callable[[str], None]) -> None:
    caller.require_write()
    find_schedule(caller, schedule_id)
    with recorded(name, schedule_id):
        act(schedule_id)
