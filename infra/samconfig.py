"""The environments that samconfig.toml describes: each a stack, with its parameters and where it goes."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.template import ROOT

SAMCONFIG = ROOT / "samconfig.toml"


class UnknownEnvironment(Exception):
    """samconfig.toml has no such environment; the message lists those it has."""


class UnreadableSamconfig(Exception):
    """samconfig.toml is not there, or no TOML; the message says where it stops."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment. `parameters` are the template's, as far as they are set; region and profile where they are."""

    name: str
    stack: str
    parameters: dict[str, str] = field(default_factory=dict)
    region: str | None = None
    profile: str | None = None


def environment(name: str, path: Path = SAMCONFIG) -> Environment:
    """The environment of this name, as `sam deploy --config-env` reads it.

    Raises UnknownEnvironment or UnreadableSamconfig.

        >>> environment("staging").stack
        'posthaste-staging'
    """
    found = environments(path)
    if name not in found:
        raise UnknownEnvironment(f"{path.name} has no stack {name!r}; it has {', '.join(found)}")
    return found[name]


def environments(path: Path = SAMCONFIG) -> dict[str, Environment]:
    """All environments by name. Raises UnreadableSamconfig."""
    try:
        sections = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UnreadableSamconfig(f"{path.name} cannot be read: {error}") from None
    return {
        name: _environment(name, section["deploy"]["parameters"])
        for name, section in sections.items()
        if isinstance(section, dict) and "stack_name" in section.get("deploy", {}).get("parameters", {})
    }


def _environment(name: str, options: Mapping[str, Any]) -> Environment:
    return Environment(
        name,
        str(options["stack_name"]),
        _overrides(options.get("parameter_overrides", [])),
        options.get("region"),
        options.get("profile"),
    )


def _overrides(given: Any) -> dict[str, str]:
    """SAM takes a list of `Name=value`, or one text of them, whose values may be quoted."""
    each = shlex.split(given) if isinstance(given, str) else list(given)
    return {name: value.strip('"') for name, _, value in (str(one).partition("=") for one in each)}
