"""`make doctor` from its beginning: what is there to examine, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from infra.deployment.aws import Account, AwsUnavailable, DeployedStack, NoSuchStack
from infra.deployment.doctor.examination import Examination
from infra.deployment.doctor.of_aws import quota_line, secrets_lines, stack_line
from infra.deployment.doctor.target import (
    DASHBOARD,
    WEBHOOKS,
    Target,
    endpoints_parameter,
    public_urls,
    qstash_url,
)
from infra.deployment.lines import Line, show
from infra.deployment.secret_entries import secret_entries
from infra.samconfig import Environment
from infra.schedules.stack import StackUnknown, local
from infra.template import Template
from shared.registry import JobType


def examine_deployed(environment: Environment, template: Template, *, seconds: float = 60.0) -> int:
    """Examine a deployed stack; the exit code: 0, all is well (warnings aside); 1, something is not."""
    report = _Report()
    try:
        account = Account(environment)
        stack = account.stack(environment.stack)
    except AwsUnavailable as error:
        return report.add(Line("aws", "failed", str(error))).exit_code
    except NoSuchStack as error:
        return report.add(
            Line("stack", "failed", str(error), f"`make deploy ENV={environment.name}`")
        ).exit_code
    report.add(stack_line(stack, environment.name))
    report.add(quota_line(account))
    entries = _entries(account, stack, report)
    wanted = [each for each in secret_entries(template) if each.secret in stack.secrets]
    report.all(secrets_lines(wanted, entries, environment.name))
    target = Target(
        stack.name,
        qstash_url(environment, template),
        entries,
        _endpoints(account, stack.name, environment.name, report),
        environment.name,
        environment.parameters,
        _log_groups(stack),
        public_urls(stack.outputs),
    )
    return report.all(Examination(target, template, seconds=seconds).lines()).exit_code


def examine_local(template: Template, *, seconds: float = 60.0) -> int:
    """Examine the running `make dev`; the exit code."""
    report = _Report()
    try:
        running = local()
    except StackUnknown as error:
        return report.add(Line("stack", "failed", str(error))).exit_code
    variables = running.variables
    endpoints = json.loads(variables["JOB_ENDPOINTS"])
    target = Target(running.name, variables["QSTASH_URL"], variables, endpoints, public=_public(endpoints))
    return report.all(Examination(target, template, seconds=seconds).lines()).exit_code


class _Report:
    """Prints lines, and remembers whether any was bad."""

    def __init__(self) -> None:
        self._failed = 0

    def add(self, line: Line) -> _Report:
        show(line)
        self._failed += line.mark == "failed"
        return self

    def all(self, lines: Iterable[Line]) -> _Report:
        for each in lines:
            self.add(each)
        return self

    @property
    def exit_code(self) -> int:
        return int(self._failed > 0)


def _entries(account: Account, stack: DeployedStack, report: _Report) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for arn in stack.secrets.values():
        try:
            found |= {name: str(value) for name, value in account.secret(arn).items() if value}
        except AwsUnavailable as error:
            report.add(Line("secrets", "failed", str(error)))
    return found


def _endpoints(account: Account, stack: str, environment: str, report: _Report) -> Mapping[str, str]:
    try:
        return dict(json.loads(account.parameter(endpoints_parameter(stack))))
    except AwsUnavailable as error:
        report.add(Line("endpoints", "failed", str(error), f"`make deploy ENV={environment}` writes them"))
    except (ValueError, TypeError):
        name = endpoints_parameter(stack)
        report.add(
            Line(
                "endpoints",
                "failed",
                f"{name} is no JSON object",
                f"`make deploy ENV={environment}` writes it",
            )
        )
    return {}


def _public(endpoints: Mapping[str, str]) -> dict[str, str]:
    """Of the local cloud, which serves all functions at one address, each under its name."""
    address = endpoints[JobType.PING].removesuffix(f"{JobType.PING}/")
    return {name: f"{address}{name}/" for name in (DASHBOARD, WEBHOOKS)}


def _log_groups(stack: DeployedStack) -> dict[str, str]:
    """By endpoint: `SendEmailLogGroup` is `send-email`'s."""
    groups = {name: each.name for name, each in stack.resources.items() if each.type == "AWS::Logs::LogGroup"}
    return {_kebab(name.removesuffix("LogGroup")): group for name, group in groups.items()}


def _kebab(camel: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in camel).lstrip("-")
