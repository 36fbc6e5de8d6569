"""The local cloud plays a deployed stack: its secrets, endpoints, functions, QStash and Postgres are real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.deployment.__main__ import main
from infra.local.awslambda import Function
from infra.local.cloud import LocalCloud
from infra.local.qstash.schedules import Schedules
from infra.samconfig import Environment, environment
from infra.schedules.applying import apply
from infra.schedules.stack import Stack
from infra.template import ROOT, Template
from shared import database
from tests.deployment.aws import Description, credentials, described
from tests.deployment.resend import resend_answers

TEMPLATE = Template()
SECRETS = (
    "DatabaseSecret",
    "QStashSecret",
    "ResendSecret",
    "PayloadSecret",
    "ApiSecret",
    "SyndicationSecret",
)
SENDER = "Acme <jobs@acme.io>"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """Started once a module; what a test breaks, it or `whole` mends."""
    folder = tmp_path_factory.mktemp("cloud")
    with LocalCloud(folder, fresh=True, backoff_scale=0.01, reconcile_seconds=3600) as running:
        yield running


@dataclass
class Deployed:
    """A stack that an operator has deployed, and his files."""

    cloud: LocalCloud
    samconfig: Path
    description: Description

    @property
    def environment(self) -> Environment:
        return environment("dev", self.samconfig)

    def run(self, command: str, *arguments: str) -> int:
        """`make COMMAND ENV=dev`."""
        return main([command, "--env", "dev", "--samconfig", str(self.samconfig), *arguments])

    def arn(self, secret: str) -> str:
        return self.description.resources[secret][1]

    def read(self, secret: str) -> dict[str, str]:
        """A secret as it is at Secrets Manager."""
        entries: dict[str, str] = json.loads(
            self.secrets.get_secret_value(SecretId=self.arn(secret))["SecretString"]
        )
        return entries

    def write(self, secret: str, entries: dict[str, str] | str) -> None:
        text = entries if isinstance(entries, str) else json.dumps(entries)
        self.secrets.put_secret_value(SecretId=self.arn(secret), SecretString=text)

    def replace(self, function: Function) -> None:
        """Deploy another version of a function."""
        self.cloud.functions.update(function)
        self.cloud.recycle()

    @property
    def secrets(self) -> Any:
        return boto3.client("secretsmanager")

    @property
    def signing_keys(self) -> Any:
        """What the account of QStash signs with."""
        return self.cloud.qstash._accounts[self.cloud.qstash.token].courier.keys

    @property
    def schedules(self) -> Schedules:
        """What the account of QStash keeps."""
        return self.cloud.qstash._accounts[self.cloud.qstash.token].schedules


@pytest.fixture
def operator(cloud: LocalCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An operator's shell: AWS credentials, and none of the variables that applications have."""
    for name in [*cloud.environment, "MAKEFLAGS", "JOB_ENDPOINTS_PARAMETER", "AWS_PROFILE"]:
        monkeypatch.delenv(name, raising=False)
    for name, value in {"AWS_ENDPOINT_URL": cloud.aws.url, **credentials(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def deployed(cloud: LocalCloud, operator: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Deployed]:
    """The stack as a deploy and `make secrets` leave it; whatever a test does to it is undone."""
    samconfig = tmp_path / "samconfig.toml"
    overrides = [f"QStashUrl={cloud.qstash.url}", "AppUrl=https://app.acme.io", f"MailFrom={SENDER}"]
    samconfig.write_text(
        f'[dev.deploy.parameters]\nstack_name = "{cloud.stack}"\nparameter_overrides = {json.dumps(overrides)}\n'
    )
    secrets = boto3.client("secretsmanager")
    resources = {
        name: (
            "AWS::SecretsManager::Secret",
            secrets.describe_secret(SecretId=f"{cloud.stack}-{name}")["ARN"],
        )
        for name in SECRETS
    }
    resources["FilesBucket"] = ("AWS::S3::Bucket", cloud.files_bucket)
    resources["PingLogGroup"] = ("AWS::Logs::LogGroup", "ping-lines")
    outputs = {"DashboardUrl": cloud.dashboard_url, "WebhooksUrl": f"{cloud.webhooks_url}/"}
    description = Description(cloud.stack, resources, outputs)
    made = Deployed(cloud, samconfig, description)
    kept = {name: made.read(name) for name in SECRETS}
    functions = dict(cloud.functions._functions)
    keys = made.signing_keys.current, made.signing_keys.next
    apply(Stack(cloud.stack, variables=cloud.environment), TEMPLATE)
    with described(description) as url:
        for service in ("CLOUDFORMATION", "LAMBDA"):
            operator.setenv(f"AWS_ENDPOINT_URL_{service}", url)
        yield made
    for name, entries in kept.items():
        made.write(name, entries)
    cloud.aws.put_parameter(f"/{cloud.stack}/job-endpoints", json.dumps(cloud.endpoints))
    made.signing_keys.current, made.signing_keys.next = keys
    changed = [each for each in functions.values() if cloud.functions._functions[each.name] is not each]
    for each in changed:
        made.replace(each)
    database.discard()


@pytest.fixture
def resend(operator: pytest.MonkeyPatch) -> Iterator[None]:
    """Resend, with the sender's domain."""
    with resend_answers() as url:
        operator.setenv("RESEND_API_URL", url)
        yield


@pytest.fixture
def few_endpoints(tmp_path: Path) -> Path:
    """The template, with three endpoints for doctor to call: each call is a cold start."""
    text = (ROOT / "template.yaml").read_text("utf-8")
    kept = ("ping", "record-failure", "send-email")
    before, _, rest = text.partition('          "send-email": ')
    listed, _, after = rest.partition("\n        }\n")
    lines = [line.rstrip(",") for line in f'          "send-email": {listed}'.splitlines()]
    wanted = [line for line in lines if line.split('"')[1] in kept]
    path = tmp_path / "template.yaml"
    path.write_text(before + ",\n".join(wanted) + "\n        }\n" + after)
    return path
