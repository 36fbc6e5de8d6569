"""What QStash keeps is compared with what the template declares, and only what differs is changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from infra.schedules.declaration import id_prefix
from shared import publishing
from shared.schedules import PlannedSchedule
from shared.settings import DispatcherSettings


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be done about one schedule: `differs` says in what it is not as declared."""

    action: Literal["create", "update", "delete"]
    schedule_id: str
    cron: str
    differs: tuple[str, ...] = ()
    paused: bool = False
    planned: PlannedSchedule | None = None  # of a deletion: none


def changes(wanted: Iterable[PlannedSchedule], stack: str, settings: DispatcherSettings) -> list[Change]:
    """What makes QStash's schedules of this stack those that are wanted; other schedules of the account do not count.

    Raises PublishFailed if QStash does not list them.
    """
    kept = _kept(settings)
    planned = {each.schedule_id: each for each in wanted}
    needed = [_change(each, kept.get(name), settings) for name, each in planned.items()]
    unwanted = [name for name in kept if name.startswith(id_prefix(stack)) and name not in planned]
    return [
        *(each for each in needed if each is not None),
        *(Change("delete", name, str(kept[name]["cron"])) for name in unwanted),
    ]


def make_so(planned: PlannedSchedule, settings: DispatcherSettings) -> None:
    """Create or update this one schedule, unless it is as declared. Raises PublishRejected or PublishFailed."""
    change = _change(planned, _kept(settings).get(planned.schedule_id), settings)
    if change is not None:
        carry_out(change, settings)


def carry_out(change: Change, settings: DispatcherSettings) -> None:
    """Do it. A paused schedule stays paused: only `resume` ends what an operator has begun.

    Raises PublishRejected with QStash's own words if it refuses the schedule, or PublishFailed.
    """
    if change.planned is None:
        publishing.act_on_schedule(change.schedule_id, "delete", settings)
        return
    publishing.put_schedule(*change.planned, settings)
    if change.paused:
        publishing.act_on_schedule(change.schedule_id, "pause", settings)


def _kept(settings: DispatcherSettings) -> dict[str, dict[str, Any]]:
    return {str(each["scheduleId"]): each for each in publishing.list_schedules(settings)}


def _change(
    planned: PlannedSchedule, kept: Mapping[str, Any] | None, settings: DispatcherSettings
) -> Change | None:
    if kept is None:
        return Change("create", planned.schedule_id, planned.cron, planned=planned)
    differs = tuple(_differences(planned, kept, settings))
    if not differs:
        return None
    paused = bool(kept.get("isPaused"))
    return Change("update", planned.schedule_id, planned.cron, differs, paused, planned)


def _differences(
    planned: PlannedSchedule, kept: Mapping[str, Any], settings: DispatcherSettings
) -> Iterator[str]:
    """The names, as QStash's API has them, of what it was asked to keep otherwise."""
    message = publishing.schedule_message(*planned, settings)
    for name, value in _as_kept(message).items():
        if kept.get(name) != value:
            yield name
    if _parsed(kept.get("body")) != json.loads(message["body"]):
        yield "body"


def _as_kept(message: Mapping[str, Any]) -> dict[str, Any]:
    flow = message.get("flow_control") or {}
    found = {
        "cron": message["cron"],
        "destination": message["destination"],
        "label": message["label"],
        "retries": message["retries"],
        "timeout": int(message["timeout"].removesuffix("s")),
        "callback": message.get("callback"),
        "failureCallback": message["failure_callback"],
        "flowControlKey": flow.get("key"),
        "parallelism": flow.get("parallelism"),
        "rate": flow.get("rate"),
    }
    return found | ({"period": flow["period"]} if "period" in flow else {})  # QStash's own default otherwise


def _parsed(body: object) -> object:
    try:
        return json.loads(str(body))
    except ValueError:
        return None
