"""Which schedules template.yaml declares: nothing else lists them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.schedules.declaration import RESOURCE_TYPE, declared
from infra.template import Template
from shared.errors import InvalidJob
from shared.schedules import PlannedSchedule
from shared.settings import DispatcherSettings


class InvalidSchedules(Exception):
    """Schedules of the template are wrong: the message names all that is, each on a line. Nothing was sent."""

    def __init__(self, errors: list[InvalidJob]) -> None:
        super().__init__("\n".join(map(str, errors)))


def declared_schedules(
    template: Template, values: Mapping[str, str], stack: str, settings: DispatcherSettings
) -> list[PlannedSchedule]:
    """All schedules of a stack of this name; `values` are its parameters', where they are not the defaults.

    Raises InvalidSchedules; SecretUnavailable if the functions' URLs cannot be read.
    """
    found, errors = [], []
    for name, resource in template.resources.items():
        if resource["Type"] != RESOURCE_TYPE:
            continue
        try:
            properties = _resolved(name, resource.get("Properties", {}), template, values)
            found.append(declared(name, properties, stack, settings))
        except InvalidJob as error:
            errors.append(error)
    if errors:
        raise InvalidSchedules(errors)
    return found


def _resolved(
    logical_id: str, properties: Mapping[str, Any], template: Template, values: Mapping[str, str]
) -> dict[str, Any]:
    """The properties, with parameters' values where they refer to one."""
    found: dict[str, Any] = {}
    for name, value in properties.items():
        match value:
            case {"Ref": str(parameter)} if parameter in template.parameters:
                found[name] = values.get(parameter, template.parameters[parameter].get("Default"))
            case dict() if name in {
                "ServiceToken",
                "Version",
            }:  # only a deployment knows them, and needs them
                continue
            case dict() if name != "Payload":
                raise InvalidJob(logical_id, [(name, "must be a plain value, or !Ref of a parameter")])
            case _:
                found[name] = value
    return found
