"""Whose schedules `make schedules` keeps: the running local cloud's, or a deployed stack's."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.environment import running
from infra.samconfig import SAMCONFIG, UnknownEnvironment, UnreadableSamconfig, environment
from shared import publishing

LOCAL = "local"
_SETTINGS = {"QSTASH_URL": "QStashUrl", "QSTASH_MAX_RETRIES": "QStashMaxRetries"}


class StackUnknown(Exception):
    """There is no such stack to talk to; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack's name, the values of its parameters and the variables that lead to it."""

    name: str
    parameters: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


def local() -> Stack:
    """The running `make dev`. Raises StackUnknown if there is none."""
    variables = running()
    if variables is None:
        raise StackUnknown(
            "there is no local cloud to talk to: start it with `make dev` in another terminal, "
            "or name a deployed stack with ENV=staging"
        )
    return Stack(LOCAL, variables=variables)


def deployed(name: str, path: Path = SAMCONFIG) -> Stack:
    """The stack that `sam deploy --config-env` makes. What the environment says already, as QSTASH_URL, is left so.

    Raises StackUnknown, also where JOB_ENDPOINTS_PARAMETER is another stack's.
    """
    try:
        found = environment(name, path)
    except (UnknownEnvironment, UnreadableSamconfig) as error:
        raise StackUnknown(str(error)) from None
    parameters = found.parameters
    wanted = {"JOB_ENDPOINTS_PARAMETER": f"/{found.stack}/job-endpoints"} | {
        variable: parameters[parameter]
        for variable, parameter in _SETTINGS.items()
        if parameter in parameters
    }
    _check_it_is_this_stacks(wanted["JOB_ENDPOINTS_PARAMETER"], name)
    return Stack(
        found.stack, parameters, {key: value for key, value in wanted.items() if not os.environ.get(key)}
    )


@contextmanager
def entered(variables: Mapping[str, str]) -> Iterator[None]:
    """The environment with these variables, for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        publishing.close()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _check_it_is_this_stacks(parameter: str, environment: str) -> None:
    given = os.environ.get("JOB_ENDPOINTS_PARAMETER")
    if given and given != parameter:
        raise StackUnknown(
            f"JOB_ENDPOINTS_PARAMETER is {given}, which is not {environment}'s: unset it, or set it to {parameter}"
        )
