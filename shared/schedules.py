"""Jobs that run by the clock. QStash keeps the schedules; each run of one becomes a job when it is first delivered."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID, uuid4
from zoneinfo import available_timezones

import psycopg
from pydantic import AfterValidator

from shared import database, executions, publishing, sealing
from shared.envelope import Envelope, Metadata, Payload, ScheduleTerms
from shared.errors import DatabaseUnavailable, InvalidJob, ScheduleNotFound, SecretUnavailable
from shared.failures import words
from shared.fault_points import FaultPoint, reach
from shared.job_request import JobOptions, checked, stored_payload
from shared.observability import logger
from shared.registry import JobType, get_job_config, is_sensitive
from shared.rows import StoredPayload
from shared.settings import DispatcherSettings

__all__ = ["pause", "resume", "schedule", "unschedule"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}")
_ITEM = re.compile(r"(?:\*|([0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?)(?:/([0-9]{1,2}))?")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS_OF = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # of each month, at most
_FIELDS = (  # what it counts, from, to, names for the first of them and so on
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)


def schedule(
    payload: Payload,
    cron: str,
    *,
    time_zone: str | None = None,
    schedule_id: str | None = None,
    user_id: int | None = None,
    organization_id: int | None = None,
    retries: int | None = None,
    overlap: Literal["allow", "skip"] = "allow",
    headers: Mapping[str, str] | None = None,
    callback: str | None = None,
    failure_callback: str | None = None,
) -> str:
    """Run a job by the clock, from now on, and return the schedule's id.

    `cron` has five fields (minute, hour, day of the month, month, day of the week) in UTC, or in `time_zone`, an IANA
    name. With `overlap="skip"` a run does nothing while another of the schedule is not over. Everything else is as
    `enqueue` has it, for each run.

    The same call again changes nothing, save that a paused schedule runs again; one with the same `schedule_id` replaces
    the schedule. Without an id it is made of the job type, the organization and the stack; give one where these have
    several schedules.

    The payload of a sensitive job, or one of more than 512 KiB, is kept in Postgres for the runs to come and does not
    travel.

    Raises InvalidJob (names every field at fault) or MissingSettings, and nothing was sent; PublishRejected with
    QStash's own words if it refuses the schedule; PublishFailed if QStash could not be reached or did not answer: call
    it again. Where the payload is kept in Postgres also DatabaseUnavailable or SecretUnavailable, and nothing was sent.

        >>> schedule(CleanupOldData(), "0 3 * * *", time_zone="Europe/Paris", overlap="skip")  # doctest: +SKIP
        'cleanup-old-data-0a1b2c3d'
    """
    asked = ScheduleOptions.check(
        "schedule",
        cron=cron,
        time_zone=time_zone,
        schedule_id=schedule_id,
        user_id=user_id,
        organization_id=organization_id,
        retries=retries,
        overlap=overlap,
        headers=headers,
        callback=callback,
        failure_callback=failure_callback,
    )
    text, settings = checked(payload), DispatcherSettings.load()
    job_type = payload.job_type
    made_id = asked.schedule_id or _derived_id(job_type, asked.organization_id, settings)
    stored = stored_payload(text, job_type, sealing.payload_of_schedule(made_id))
    payload_id = _keep(text, stored, made_id) if stored.by_reference else None
    travelling = {} if stored.by_reference else stored.payload
    planned = _plan(asked, made_id, job_type, dict(travelling), settings, payload_id=payload_id)
    publishing.put_schedule(*planned, settings)
    reach(FaultPoint.SCHEDULED)
    _forget_payloads(made_id, payload_id)
    logger.info("scheduled", extra={"job_type": job_type.value, "schedule_id": made_id, "cron": planned.cron})
    return made_id


class PlannedSchedule(NamedTuple):
    """A schedule as QStash is to keep it; `options` are those of a row."""

    schedule_id: str
    cron: str
    envelope: Envelope
    options: dict[str, Any]


def plan(
    payload: Payload, options: ScheduleOptions, schedule_id: str, settings: DispatcherSettings
) -> PlannedSchedule:
    """What `schedule` would ask of QStash, for whoever compares it with what is there. Nothing is sent or written.

    The payload has to travel. Raises InvalidJob, also for one of a sensitive job: it is kept in Postgres only.
    """
    text = checked(payload)
    if is_sensitive(payload.job_type):
        raise InvalidJob(
            "schedule", [("payload", f"of {payload.job_type} is sensitive: call `schedule` for it, in code")]
        )
    return _plan(options, schedule_id, payload.job_type, json.loads(text), settings)


def _plan(
    asked: ScheduleOptions,
    schedule_id: str,
    job_type: JobType,
    travelling: dict[str, Any],
    settings: DispatcherSettings,
    *,
    payload_id: UUID | None = None,
) -> PlannedSchedule:
    config = get_job_config(job_type)
    retries = config.retries if asked.retries is None else asked.retries
    options = publishing.default_options(config, retries, asked.organization_id, settings)
    options |= asked.model_dump(include={"headers", "callback"}, exclude_none=True)
    terms = ScheduleTerms(
        id=schedule_id,
        overlap="skip" if asked.overlap == "skip" else None,
        publish_options=options,
        failure_callback=asked.failure_callback,
        payload_id=payload_id,
    )
    metadata = Metadata(user_id=asked.user_id, organization_id=asked.organization_id, schedule=terms)
    envelope = Envelope(type=job_type.value, payload=travelling, metadata=metadata)
    timed = asked.cron if asked.time_zone is None else f"CRON_TZ={asked.time_zone} {asked.cron}"
    return PlannedSchedule(schedule_id, timed, envelope, options)


def unschedule(schedule_id: str) -> None:
    """Remove a schedule; runs that have begun go on. Raises ScheduleNotFound, or PublishFailed: call it again."""
    try:
        _act("delete", schedule_id)
    except ScheduleNotFound:  # perhaps a call before this one died before it came to the payloads
        _forget_payloads(schedule_id)
        raise
    reach(FaultPoint.UNSCHEDULED)
    _forget_payloads(schedule_id)


def pause(schedule_id: str) -> None:
    """Let a schedule's times pass until `resume`. Raises ScheduleNotFound, or PublishFailed: call it again."""
    _act("pause", schedule_id)


def resume(schedule_id: str) -> None:
    """Run a paused schedule again, from its next time on. Raises ScheduleNotFound, or PublishFailed: call it again."""
    _act("resume", schedule_id)


def _act(action: Literal["delete", "pause", "resume"], schedule_id: str) -> None:
    settings = DispatcherSettings.load()
    # What is no id could be another path of QStash's.
    if not _ID.fullmatch(schedule_id) or not publishing.act_on_schedule(schedule_id, action, settings):
        raise ScheduleNotFound(schedule_id)


# --- payloads that do not travel ----------------------------------------------------------------------------


def _keep(text: str, stored: StoredPayload, schedule_id: str) -> UUID:
    """Write the payload for the runs to come, unless it is there and sealed under the same key; its id."""
    found = database.run(lambda kept: executions.find_schedule_payload(kept, schedule_id))
    if found is not None and found.payload_key == stored.payload_key:
        place = sealing.payload_of_schedule(schedule_id)
        if json.loads(sealing.unseal(found.payload, found.payload_key, place)) == json.loads(text):
            return found.id
    payload_id = uuid4()
    database.run(lambda kept: executions.insert_schedule_payload(kept, payload_id, schedule_id, stored))
    reach(FaultPoint.PAYLOAD_KEPT)
    return payload_id


def _forget_payloads(schedule_id: str, payload_id: UUID | None = None) -> None:
    """Mark what the schedule's messages no longer name. QStash has been told: where it fails, they are only kept longer."""
    try:
        database.run(lambda kept: executions.remove_schedule_payloads(kept, schedule_id, payload_id))
    except (DatabaseUnavailable, SecretUnavailable, psycopg.Error) as error:
        logger.warning("old payloads are not marked as removed", extra={"reason": words(error)})


def _derived_id(job_type: str, organization_id: int | None, settings: DispatcherSettings) -> str:
    """The same for the same schedule, and another one for each stack: several may share one QStash account."""
    owner = "" if organization_id is None else f"-organization-{organization_id}"
    stack = settings.job_endpoints_parameter
    return f"{job_type}{owner}" + (f"-{hashlib.sha256(stack.encode()).hexdigest()[:8]}" if stack else "")


# --- checking -----------------------------------------------------------------------------------------------


def _cron(text: str) -> str:
    fields = text.lower().split()
    if len(fields) != len(_FIELDS):
        names = ", ".join(name for name, *_rest in _FIELDS)
        raise ValueError(f"must have five fields ({names}) and no time zone: {len(fields)} are given")
    minutes_to_weekdays = [_values(text, *field) for text, field in zip(fields, _FIELDS, strict=True)]
    _minutes, _hours, days, months, _weekdays = minutes_to_weekdays
    if fields[4].startswith("*") and min(days) > max(_DAYS_OF[month - 1] for month in months):
        raise ValueError("never comes: no such month has such a day")
    return " ".join(fields)


def _values(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> set[int]:
    """The values that a field stands for."""
    found: set[int] = set()
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"{name}: {item!a} is not *, a value, a range a-b, any of them with a step /n")
        first, last, step = (_number(each, low, names) for each in match.groups())
        begin = low if first is None else first
        # As in every cron: a step after a single value runs to the field's end.
        end = last if last is not None else high if first is None or step is not None else first
        if not low <= begin <= high or not low <= end <= high or (step is not None and not 1 <= step <= high):
            also = f" or {names[0]} to {names[-1]}" if names else ""
            raise ValueError(f"{name}: {item!a} is not within {low} to {high}{also} (steps: 1 to {high})")
        if begin > end:
            raise ValueError(f"{name}: the range {item!a} runs backwards; write it as two, with a comma")
        found.update(range(begin, end + 1, step or 1))
    return found


def _number(text: str | None, low: int, names: tuple[str, ...]) -> int | None:
    """The value of a number or a name; -1, which is in no field, for a name that is not known."""
    if text is None or text.isdecimal():
        return None if text is None else int(text)
    return names.index(text) + low if text in names else -1


def _time_zone(name: str) -> str:
    known = available_timezones() - {"localtime"}  # each machine's own
    if not known and _ZONE.fullmatch(name):
        logger.info("there is no time zone data here: QStash will say if it knows it", extra={"zone": name})
    elif name not in known:
        raise ValueError(f"{name[:64]!a} is not a known IANA time zone, such as Europe/Paris or UTC")
    return name


def _schedule_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError("must be 1 to 128 letters, digits, '-', '_' or '.', the first a letter or digit")
    return text


class ScheduleOptions(JobOptions):
    """The keyword arguments of `schedule`."""

    cron: Annotated[str, AfterValidator(_cron)]
    time_zone: Annotated[str, AfterValidator(_time_zone)] | None = None
    schedule_id: Annotated[str, AfterValidator(_schedule_id)] | None = None
    overlap: Literal["allow", "skip"] = "allow"
