"""`make deploy`: check, build, show the change set, deploy, and say what is still missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from infra.deployment.aws import Account, AwsUnavailable, NoSuchStack
from infra.deployment.doctor.of_aws import secrets_lines, stack_line
from infra.deployment.lines import Line, refuse, show
from infra.deployment.prechecks import problems
from infra.deployment.secret_entries import Entry, secret_entries
from infra.samconfig import SAMCONFIG, Environment
from infra.template import ROOT, Template


@dataclass(frozen=True, slots=True)
class Deployment:
    """One run of `make deploy`; `make` and `sam` are the commands that build and deploy."""

    environment: Environment
    template: Template
    make: Sequence[str] = ("make", "--no-print-directory")
    sam: Sequence[str] = (str(ROOT / ".venv-sam" / "bin" / "sam"),)
    samconfig: str = str(SAMCONFIG)

    def run(self) -> int:
        """The exit code: 0, it is deployed; 1, a step failed; 2, it was refused before anything was sent.

        Raises AwsUnavailable, before anything was sent.
        """
        wrong = problems(self.environment, self.template)
        if wrong:
            return refuse("\n✗ ".join([*wrong, f"nothing was sent: {self.environment.name} is not ready"]), 2)
        account = Account(self.environment)
        before = self._before(account)
        if before is not None and before.mark == "failed":
            show(before)
            return 2
        where = f"{self.environment.stack} to account {account.number} in {account.region}"
        show(Line("deploy", "ok", where))
        if self._fails([*self.make, "build", f"ARCH={self._architecture}"]) or self._fails(self._deploy):
            return refuse(f"{where}: not deployed, see above", 1)
        return self._after(account)

    @property
    def _architecture(self) -> str:
        default = self.template.parameters["Architecture"]["Default"]
        return self.environment.parameters.get("Architecture", str(default))

    @property
    def _deploy(self) -> list[str]:
        """SAM shows the change set, and asks before it carries it out where samconfig.toml says so."""
        chosen = ["--config-file", self.samconfig, "--config-env", self.environment.name]
        return [*self.sam, "deploy", *chosen, "--no-fail-on-empty-changeset"]

    def _fails(self, command: Sequence[str]) -> bool:
        sys.stdout.flush()
        # What an outer make hands down would be taken for options of this one.
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
        }
        done = subprocess.run(command, cwd=ROOT, env={**kept, "SAM_CLI_TELEMETRY": "0"}, check=False)
        return done.returncode != 0

    def _before(self, account: Account) -> Line | None:
        try:
            return stack_line(account.stack(self.environment.stack), self.environment.name)
        except NoSuchStack:
            return None

    def _after(self, account: Account) -> int:
        name = self.environment.name
        try:
            lines = list(secrets_lines(*self._secrets(account), name))
        except (AwsUnavailable, NoSuchStack) as error:
            lines = [Line("secrets", "warning", f"not looked at: {error}", f"`make doctor ENV={name}`")]
        for line in lines:
            show(line)
        if all(line.mark == "ok" for line in lines):
            show(Line("next", "ok", f"`make doctor ENV={name}` sends a job through it"))
        return 0

    def _secrets(self, account: Account) -> tuple[list[Entry], dict[str, str]]:
        stack = account.stack(self.environment.stack)
        found = {
            entry: str(value)
            for arn in stack.secrets.values()
            for entry, value in account.secret(arn).items()
        }
        return [each for each in secret_entries(self.template) if each.secret in stack.secrets], found
