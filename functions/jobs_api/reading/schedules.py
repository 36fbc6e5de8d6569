"""The schedules of this stack, with each one's latest run."""

from __future__ import annotations

from typing import Any

from functions.jobs_api.access.callers import Caller
from functions.jobs_api.shapes import Schedule, ScheduleRun, Schedules
from functions.jobs_api.sql import statement
from shared import database
from shared.errors import ScheduleNotFound
from shared.schedule_runs import KeptSchedule, kept_schedules
from shared.settings import DispatcherSettings


def list_schedules(caller: Caller) -> Schedules:
    """The schedules that the caller sees, by id. Raises PublishFailed if QStash cannot be asked."""
    seen = _seen(caller)
    values = {"schedule_ids": [kept.id for kept in seen], "organization_id": caller.organization_id}
    rows = database.run(lambda kept: kept.execute(statement("list_schedule_runs"), values).fetchall())
    latest = {row.pop("schedule_id"): row for row in rows}
    return Schedules(schedules=[_shown(kept, latest.get(kept.id)) for kept in seen])


def find_schedule(caller: Caller, schedule_id: str) -> KeptSchedule:
    """The schedule of this id. Raises ScheduleNotFound, also for one that the caller does not see, or PublishFailed."""
    for kept in _seen(caller):
        if kept.id == schedule_id:
            return kept
    raise ScheduleNotFound(schedule_id)


def _seen(caller: Caller) -> list[KeptSchedule]:
    kept = kept_schedules(DispatcherSettings.load())
    return [each for each in kept if caller.sees(each.envelope.metadata.organization_id)]


def _shown(kept: KeptSchedule, run: dict[str, Any] | None) -> Schedule:
    metadata = kept.envelope.metadata
    return Schedule(
        id=kept.id,
        type=kept.envelope.type,
        cron=kept.cron,
        time_zone=kept.time_zone,
        paused=kept.paused,
        next_run_at=kept.next_run_at,
        organization_id=metadata.organization_id,
        user_id=metadata.user_id,
        overlap="skip" if kept.terms.overlap == "skip" else "allow",
        last_run=None if run is None else ScheduleRun.model_validate(run),
    )
