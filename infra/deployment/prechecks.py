"""What can be known to be wrong before anything is sent to AWS."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from infra.deployment.stack_names import longest_stack_name
from infra.samconfig import Environment
from infra.schedules.declaration import ScheduleSettings
from infra.schedules.stack import entered
from infra.schedules.template import InvalidSchedules, declared_schedules
from infra.template import Template

_RESERVED = ("aws", "ssm")
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
# Names that nobody can own (RFC 2606), and what people write where a value is still to come.
_PLACEHOLDER = re.compile(
    r"(?i)(?:[@/.]|^)(?:example\.(?:com|net|org|edu)|[\w.-]+\.(?:example|invalid|test)|localhost|127\.0\.0\.1)(?=[:/>?\s]|$)"
    r"|\byour[-_ ]?(?:domain|company|app|name|site)\b|change[-_]?me|placeholder|<[^@>]*>"
)
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)(s?)\)")
_CRON = re.compile(r"cron\(\S+(?: \S+){5}\)")


def problems(environment: Environment, template: Template) -> list[str]:
    """All that is wrong with an environment, each with what to do about it; nothing is sent.

    >>> problems(Environment("dev", "posthaste-dev"), Template())  # doctest: +SKIP
    ['AppUrl is missing: add "AppUrl=…" to the parameter_overrides of dev in samconfig.toml (Where …)', …]
    """
    return [
        *_stack_name(environment.stack, template),
        *_parameters(environment, template),
        *_sweep(environment.parameters, template),
        *_schedules(environment, template),
    ]


def _stack_name(name: str, template: Template) -> Iterator[str]:
    if not _STACK_NAME.fullmatch(name):
        yield (
            f"stack_name {name!r} must begin with a letter and have letters, digits and hyphens only: "
            "change it in samconfig.toml"
        )
    if name.lower().startswith(_RESERVED):
        yield (
            f"stack_name {name!r} begins with {name[:3]!r}, and no parameter of Systems Manager may "
            "(the endpoints' is named after the stack): change it in samconfig.toml"
        )
    longest = longest_stack_name(template)
    if len(name) > longest.length:
        yield (
            f"stack_name {name!r} has {len(name)} characters and may have {longest.length}, because of "
            f"{longest.because}: shorten it in samconfig.toml"
        )


# --- parameters ---------------------------------------------------------------------------------------------


def _parameters(environment: Environment, template: Template) -> Iterator[str]:
    given, known = environment.parameters, template.parameters
    place = f"the parameter_overrides of {environment.name} in samconfig.toml"
    for name in given.keys() - known.keys():
        yield f"{name} is no parameter of template.yaml: take it out of {place}"
    for name, parameter in known.items():
        if name in given:
            yield from _value(name, given[name], parameter)
        elif "Default" not in parameter:
            yield f'{name} is missing: add "{name}=…" to {place} ({parameter.get("Description", "")})'


def _value(name: str, value: str, parameter: Mapping[str, Any]) -> Iterator[str]:
    about = f" ({parameter['Description']})" if "Description" in parameter else ""
    if _PLACEHOLDER.search(value):
        yield f"{name} is still the placeholder {value!r}: put yours into samconfig.toml{about}"
    allowed = [str(each) for each in parameter.get("AllowedValues", [])]
    if allowed and value not in allowed:
        yield f"{name} is {value!r} and must be one of {', '.join(allowed)}"
    pattern = parameter.get("AllowedPattern")
    parts = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
    if pattern and not all(re.fullmatch(pattern, part.strip()) for part in parts):
        yield f"{name} is {value!r} and must match {pattern}{about}"
    if parameter["Type"] == "Number":
        yield from _number(name, value, parameter)


def _number(name: str, value: str, parameter: Mapping[str, Any]) -> Iterator[str]:
    try:
        number = float(value)
    except ValueError:
        yield f"{name} is {value!r} and must be a number"
        return
    least, most = parameter.get("MinValue"), parameter.get("MaxValue")
    if least is not None and number < least:
        yield f"{name} is {value} and must be at least {least}"
    if most is not None and number > most:
        yield f"{name} is {value} and must be at most {most}"


# --- schedules ----------------------------------------------------------------------------------------------


def _sweep(given: Mapping[str, str], template: Template) -> Iterator[str]:
    default = template.parameters.get("ReconcileSchedule", {}).get("Default")
    expression = given.get("ReconcileSchedule", default)
    if expression is None or _CRON.fullmatch(expression):
        return
    rate = _RATE.fullmatch(expression)
    if rate is None or int(rate[1]) < 1 or (rate[1] == "1") == bool(rate[3]):
        yield (
            f"ReconcileSchedule is {expression!r} and must be an EventBridge expression: rate(1 minute), "
            "rate(5 minutes), or cron(…) with its six fields"
        )


def _schedules(environment: Environment, template: Template) -> Iterator[str]:
    # Where the functions will be is not known yet, and does not matter for what is checked here.
    stand_ins = {
        "JOB_ENDPOINTS": json.dumps(dict.fromkeys(template.endpoints, "https://not-deployed-yet.invalid/")),
        "QSTASH_TOKEN": "not-asked",
    }
    stack = environment.stack if not any(_stack_name(environment.stack, template)) else "named-elsewhere"
    with entered(stand_ins):
        try:
            declared_schedules(template, environment.parameters, stack, ScheduleSettings.load())
        except InvalidSchedules as error:
            yield from (f"template.yaml: {each}" for each in str(error).splitlines())
