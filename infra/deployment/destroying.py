"""`make destroy`: delete a stack, after its name was typed, and say what of it stays."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from infra.deployment.aws import Account, AwsUnavailable, DeployedStack
from infra.deployment.doctor.of_jobs import look_at_queue
from infra.deployment.doctor.target import Target, endpoints_parameter, qstash_url
from infra.deployment.lines import Line, refuse, show
from infra.deployment.probes.wrong import Wrong
from infra.samconfig import Environment
from infra.template import Template

_GROUPS = {
    "AWS::SecretsManager::Secret": "secrets",
    "AWS::Logs::LogGroup": "logs",
    "AWS::S3::Bucket": "files",
}


@dataclass(frozen=True, slots=True)
class Destruction:
    """One run of `make destroy`."""

    environment: Environment
    template: Template
    account: Account
    stack: DeployedStack

    def run(self, ask: Callable[[str], str] | None = None) -> int:
        """Ask, delete and wait; the exit code. Raises AwsUnavailable, also where CloudFormation gives up."""
        kept = list(self._kept())
        print(
            f"{self.stack.name} in {self.account.region}: its functions, URLs, alarms and schedules will be deleted."
        )
        for line in [*kept, self._database(), *self._waiting()]:
            show(line)
        try:
            typed = (ask or input)(f"Type {self.stack.name} to delete it: ").strip()
        except EOFError:
            typed = ""
        if typed != self.stack.name:
            return refuse(f"{typed!r} is not {self.stack.name!r}: nothing was deleted", 1)
        self.account.delete_stack(self.stack.name)
        show(
            Line(
                "deleted",
                "ok",
                f"{self.stack.name}; what is kept, as said above, costs on until you delete it yourself",
            )
        )
        return 0

    def _kept(self) -> Iterator[Line]:
        """What the template retains, by the names that it has at AWS."""
        for kind, subject in _GROUPS.items():
            names = [
                self.stack.resources[name].name
                for name, resource in self.template.resources.items()
                if resource["Type"] == kind
                and str(resource.get("DeletionPolicy", "Delete")).startswith("Retain")
                and name in self.stack.resources
            ]
            if names:
                yield Line(subject, "ok", f"kept: {', '.join(names)}")

    def _database(self) -> Line:
        return Line("database", "ok", "kept: it is no part of the stack, and all jobs are in it")

    def _waiting(self) -> Iterator[Line]:
        """How many jobs nobody will run any more, where the database can be asked."""
        try:
            target = self._target()
        except (AwsUnavailable, ValueError) as error:  # a stack may be half there
            yield Line("jobs", "warning", f"not counted: {error}")
            return
        if not target.entries.get("DATABASE_URL"):
            return
        try:
            works = look_at_queue(target)
        except Wrong as wrong:
            yield Line("jobs", "warning", f"not counted: {wrong.what}")
            return
        yield Line(
            "jobs",
            "warning",
            f"{works.detail}; nobody runs what waits until a stack is deployed on this database again",
        )

    def _target(self) -> Target:
        found = [self.account.secret(arn) for arn in self.stack.secrets.values()]
        entries = {name: str(value) for secret in found for name, value in secret.items()}
        endpoints = json.loads(self.account.parameter(endpoints_parameter(self.stack.name)))
        url = qstash_url(self.environment, self.template)
        return Target(self.stack.name, url, entries, endpoints, self.environment.name)
