"""What `make doctor` examines: a deployed stack, or the running local cloud."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.samconfig import Environment
from infra.schedules.stack import Stack
from infra.template import Template

DASHBOARD, WEBHOOKS = "jobs-api", "receive-webhook"
# Outputs of the stack with the URLs of the functions that no job is delivered to.
PUBLIC_OUTPUTS = {DASHBOARD: "DashboardUrl", WEBHOOKS: "WebhooksUrl"}


def qstash_url(environment: Environment, template: Template) -> str:
    """The QStash region that the environment's stack uses."""
    default = template.parameters["QStashUrl"]["Default"]
    return environment.parameters.get("QStashUrl", str(default)).rstrip("/")


def endpoints_parameter(stack: str) -> str:
    """The name of the SSM parameter with the stack's function URLs."""
    return f"/{stack}/job-endpoints"


def public_urls(outputs: Mapping[str, str]) -> dict[str, str]:
    """The URLs that are open to the world, of a stack with these outputs."""
    return {name: outputs[output] for name, output in PUBLIC_OUTPUTS.items() if output in outputs}


@dataclass(frozen=True, slots=True)
class Target:
    """Where everything is: `entries` are those of its secrets, `endpoints` the URLs that QStash calls, by name.

    `environment` is its name in samconfig.toml, none of the local cloud. `log_groups` are those of its functions, by
    endpoint, as far as there are any. `public` are the URLs that are open to the world, by name.
    """

    name: str
    qstash_url: str
    entries: Mapping[str, str]
    endpoints: Mapping[str, str]
    environment: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)
    log_groups: Mapping[str, str] = field(default_factory=dict)
    public: Mapping[str, str] = field(default_factory=dict)

    def make(self, target: str) -> str:
        """The command that means this one: `make secrets ENV=staging`."""
        return f"`make {target} ENV={self.environment}`" if self.environment else f"`make {target}`"

    def log_of(self, endpoint: str) -> str:
        """Where a function's lines are."""
        group = self.log_groups.get(endpoint)
        return f"`aws logs tail {group} --since 10m`" if group else "the output of `make dev`"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a producer that enqueues here."""
        return {
            **{name: value for name, value in self.entries.items() if value},
            "QSTASH_URL": self.qstash_url,
            "JOB_ENDPOINTS": json.dumps(dict(self.endpoints)),
            "JOB_DELIVERY": "qstash",
            **(
                {"QSTASH_MAX_RETRIES": retries}
                if (retries := self.parameters.get("QStashMaxRetries"))
                else {}
            ),
        }

    @property
    def stack(self) -> Stack:
        """The same, for whoever keeps its schedules."""
        return Stack(self.name, self.parameters, self.variables)
