"""Which entries a stack's secrets take, as the template and the code that reads them say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import shared.settings
from infra.template import Template
from shared.secrets import entries_of
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its name, the logical id of its secret, and whether functions need it to do their work."""

    name: str
    secret: str
    required: bool


def secret_entries(template: Template) -> list[Entry]:
    """All of them, in the order of the template's secrets.

    >>> [each.name for each in secret_entries(Template()) if each.secret == "DatabaseSecret"]
    ['DATABASE_URL']
    """
    required = set(_required())
    secrets = [
        name for name, each in template.resources.items() if each["Type"] == "AWS::SecretsManager::Secret"
    ]
    found = {
        (entry, secret)
        for variable, secret in _variables(template)
        if secret in secrets
        for entry in entries_of(variable)
    }
    ordered = sorted(found, key=lambda each: (secrets.index(each[1]), each[0] not in required, each[0]))
    return [Entry(name, secret, name in required) for name, secret in ordered]


def _variables(template: Template) -> Iterator[tuple[str, str]]:
    """Variables of functions that name a resource."""
    for function in template.functions.values():
        for variable, value in function.variables.items():
            match value:
                case {"Ref": str(resource)}:
                    yield variable, resource


def _required() -> Iterator[str]:
    """What the settings of some function ask for."""
    groups: list[Any] = [each for each in vars(shared.settings).values() if isinstance(each, type)]
    for group in groups:
        if issubclass(group, Settings):
            for entries in group.secrets.values():
                yield from entries
