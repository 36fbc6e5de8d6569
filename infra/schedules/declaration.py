"""One `Custom::QStashSchedule` of the template, checked and made into what QStash is to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_pascal

from shared import publishing, schedules
from shared.envelope import Payload, problems
from shared.errors import EndpointUnknown, InvalidJob, UnknownJobType
from shared.registry import get_job_config
from shared.schedules import PlannedSchedule, ScheduleOptions
from shared.settings import DispatcherSettings

RESOURCE_TYPE = "Custom::QStashSchedule"
_CLOUDFORMATIONS = {
    "ServiceToken",
    "ServiceTimeout",
    "Version",
}  # properties that say nothing about the schedule
_T = TypeVar("_T")
_Problems = list[tuple[str, str]]


class _Properties(BaseModel):
    """The properties as they are written.

    The payload is JSON text: of a mapping CloudFormation would hand over every number and boolean as a string.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_pascal)

    job_type: str
    cron: str
    time_zone: str | None = None
    payload: str = "{}"
    overlap: str = "allow"
    retries: int | None = None


class ScheduleSettings(DispatcherSettings):
    """What keeping schedules needs: no database."""

    secrets: ClassVar[dict[str, tuple[str, ...]]] = {"QSTASH_SECRET_ARN": ("QSTASH_TOKEN",)}


def id_prefix(stack: str) -> str:
    """How the ids of all schedules begin that the template of this stack declares, and no others do."""
    return f"{stack}.template."  # a stack's name has no dot: no prefix is the beginning of another's


def schedule_id(stack: str, logical_id: str) -> str:
    """The id of one of them: the same as long as the stack and the resource are called the same."""
    return id_prefix(stack) + logical_id


def declared(
    logical_id: str, properties: Mapping[str, Any], stack: str, settings: DispatcherSettings
) -> PlannedSchedule:
    """What QStash is to keep for this resource. Nothing is sent.

    Raises InvalidJob, which names the resource and every property at fault; SecretUnavailable if the functions' URLs
    cannot be read.
    """
    try:
        asked = _Properties.model_validate(
            {name: value for name, value in properties.items() if name not in _CLOUDFORMATIONS}
        )
    except ValidationError as error:
        raise InvalidJob(logical_id, problems(error)) from None
    found: _Problems = []
    payload = _gather(found, lambda: _payload(asked))
    options = _gather(found, lambda: _options(asked, schedule_id(stack, logical_id)))
    if payload is None or options is None:
        raise InvalidJob(logical_id, found)
    planned = _gather(found, lambda: _reachable(payload, options, settings))
    if planned is None:
        raise InvalidJob(logical_id, found)
    return planned


def _payload(asked: _Properties) -> Payload:
    try:
        model = get_job_config(asked.job_type).payload
    except UnknownJobType as error:
        raise InvalidJob("schedule", [("JobType", str(error))]) from None
    try:
        return model.model_validate_json(asked.payload)
    except ValidationError as error:
        named = [(f"Payload.{field}", what) for field, what in problems(error, model)]
        raise InvalidJob("schedule", named) from None


def _options(asked: _Properties, made_id: str) -> ScheduleOptions:
    try:
        return ScheduleOptions.check(
            "schedule", schedule_id=made_id, **asked.model_dump(exclude={"job_type", "payload"})
        )
    except InvalidJob as error:
        raise InvalidJob("schedule", [(to_pascal(field), what) for field, what in error.problems]) from None


def _reachable(payload: Payload, options: ScheduleOptions, settings: DispatcherSettings) -> PlannedSchedule:
    planned = schedules.plan(payload, options, options.schedule_id or "", settings)
    try:
        publishing.schedule_message(*planned, settings)
    except EndpointUnknown as error:
        raise InvalidJob("schedule", [("JobType", str(error))]) from None
    return planned


def _gather(found: _Problems, step: Callable[[], _T]) -> _T | None:
    """What the step gives; None after adding to what was found."""
    try:
        return step()
    except InvalidJob as error:
        found.extend(error.problems)
        return None
