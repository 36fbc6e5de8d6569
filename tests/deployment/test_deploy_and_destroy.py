"""`make deploy` and `make destroy`: what is refused, what is run, what is said before and after."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import boto3
import psycopg
import pytest

from infra.deployment.aws import Account, AwsUnavailable
from infra.deployment.deploying import Deployment
from infra.deployment.destroying import Destruction
from infra.template import ROOT
from tests.deployment.conftest import TEMPLATE, Deployed

Deploy = Callable[[], int]


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """The commands that were run, a line each."""
    return tmp_path / "ran"


@pytest.fixture
def command(tmp_path: Path, ran: Path) -> Callable[..., list[str]]:
    """A command that notes how it was called, and ends so."""

    def make(name: str, code: int = 0) -> list[str]:
        path = tmp_path / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {ran}\necho "change set of {name}"\nexit {code}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return [str(path)]

    return make


@pytest.fixture
def deploy(deployed: Deployed, command: Callable[..., list[str]]) -> Deploy:
    def run() -> int:
        return Deployment(
            deployed.environment,
            TEMPLATE,
            make=command("make"),
            sam=command("sam"),
            samconfig=str(deployed.samconfig),
        ).run()

    return run


# --- deploy ------------------------------------------------------------------------------------------------


def real(deployed: Deployed) -> None:
    """The local QStash's address would be refused for what it is."""
    text = deployed.samconfig.read_text()
    deployed.samconfig.write_text(text.replace(deployed.cloud.qstash.url, "https://qstash.upstash.io"))


def test_it_builds_then_deploys_with_the_environments_settings(
    deployed: Deployed, deploy: Deploy, ran: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    real(deployed)
    assert deploy() == 0
    assert ran.read_text().splitlines() == [
        "make build ARCH=arm64",
        f"sam deploy --config-file {deployed.samconfig} --config-env dev --no-fail-on-empty-changeset",
    ]
    shown = capfd.readouterr().out
    assert f"✓ deploy       {deployed.cloud.stack} to account 123456789012 in eu-central-1" in shown
    assert "change set of sam" in shown
    assert "`make doctor ENV=dev` sends a job through it" in shown


def test_intel_is_built_where_the_parameter_says_so(deployed: Deployed, deploy: Deploy, ran: Path) -> None:
    real(deployed)
    text = deployed.samconfig.read_text()
    deployed.samconfig.write_text(text.replace('["', '["Architecture=x86_64", "', 1))
    assert deploy() == 0
    assert "make build ARCH=x86_64" in ran.read_text()


def test_without_secrets_it_deploys_and_says_what_is_missing(
    deployed: Deployed, deploy: Deploy, capfd: pytest.CaptureFixture[str]
) -> None:
    real(deployed)
    for secret in ("DatabaseSecret", "QStashSecret", "ResendSecret", "PayloadSecret"):
        deployed.write(secret, {})
    assert deploy() == 0
    shown = capfd.readouterr().out
    assert "✗ secrets      DatabaseSecret has no DATABASE_URL" in shown
    assert "→ `make secrets ENV=dev`" in shown


def test_a_first_deploy_has_no_stack_to_look_at(
    deployed: Deployed, deploy: Deploy, ran: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    real(deployed)
    deployed.description.there = False
    assert deploy() == 0
    assert len(ran.read_text().splitlines()) == 2


def test_what_is_wrong_is_refused_before_anything_is_sent(
    deployed: Deployed, deploy: Deploy, ran: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert deploy() == 2  # QStash's address is this machine's
    said = capfd.readouterr().err
    assert "QStashUrl is still the placeholder" in said
    assert "nothing was sent" in said
    assert not ran.exists()
    assert deployed.description.calls == []


def test_a_stack_that_must_go_first_is_told_before_anything_is_built(
    deployed: Deployed, deploy: Deploy, ran: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    real(deployed)
    deployed.description.status = "ROLLBACK_COMPLETE"
    assert deploy() == 2
    assert "`make destroy ENV=dev`, then `make deploy ENV=dev`" in capfd.readouterr().out
    assert not ran.exists()


def test_without_credentials_nothing_is_built(
    deployed: Deployed, deploy: Deploy, ran: Path, operator: pytest.MonkeyPatch
) -> None:
    real(deployed)
    operator.delenv("AWS_ACCESS_KEY_ID")
    operator.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AwsUnavailable, match="run `aws configure`"):
        deploy()
    assert not ran.exists()


@pytest.mark.parametrize(("failing", "commands"), [("make", 1), ("sam", 2)])
def test_a_step_that_fails_ends_it(
    deployed: Deployed,
    command: Callable[..., list[str]],
    ran: Path,
    capfd: pytest.CaptureFixture[str],
    failing: str,
    commands: int,
) -> None:
    real(deployed)
    made = {name: command(name, int(name == failing)) for name in ("make", "sam")}
    deployment = Deployment(deployed.environment, TEMPLATE, make=made["make"], sam=made["sam"])
    assert deployment.run() == 1
    assert "not deployed, see above" in capfd.readouterr().err
    assert len(ran.read_text().splitlines()) == commands


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["deploy"], "say which environment: make deploy ENV=dev|staging|production"),
        (["deploy", "ENV=moon"], "samconfig.toml has no stack 'moon'; it has dev, staging, production"),
        (["secrets"], "say which environment: make secrets ENV="),
        (["destroy", "ENV="], "say which environment: make destroy ENV="),
        (["doctor", "ENV=moon"], "samconfig.toml has no stack 'moon'"),
        (["deploy", "ENV=production"], "AppUrl is still the placeholder 'https://www.example.com'"),
    ],
)
def test_make_refuses_an_environment_that_it_does_not_know(
    operator: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    command = ["make", "--no-print-directory", "-o", "setup", "-o", ".venv-sam/.ready", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr


# --- destroy -----------------------------------------------------------------------------------------------


def destroy(deployed: Deployed, typed: str) -> int:
    account = Account(deployed.environment)
    stack = account.stack(deployed.cloud.stack)
    return Destruction(deployed.environment, TEMPLATE, account, stack).run(lambda _question: typed)


def test_it_says_what_is_kept_and_deletes_what_was_named(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(deployed.cloud.database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO job_executions (job_id, job_type, payload, max_attempts, not_before) "
            "VALUES (gen_random_uuid(), 'ping', '{}', 1, now() + interval '1 day')"
        )
        code = destroy(deployed, deployed.cloud.stack)
        connection.execute("DELETE FROM job_executions")
    assert (code, deployed.description.there) == (0, False)
    shown = capsys.readouterr().out
    (kept,) = (line for line in shown.splitlines() if line.startswith("✓ secrets      kept: "))
    assert deployed.arn("DatabaseSecret") in kept
    assert "✓ logs         kept: ping-lines" in shown
    assert f"✓ files        kept: {deployed.cloud.files_bucket}" in shown
    assert "✓ database     kept" in shown
    assert "! jobs         1 jobs wait; nobody runs what waits until" in shown
    assert deployed.read("DatabaseSecret")["DATABASE_URL"] == deployed.cloud.database_url


def test_what_a_failed_first_deploy_has_left_can_be_deleted(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing of it may be there: no endpoints, no secrets."""
    deployed.description.status = "ROLLBACK_COMPLETE"
    deployed.description.taken_away = {"DatabaseSecret", "QStashSecret"}
    name = deployed.cloud.stack
    boto3.client("ssm").delete_parameter(Name=f"/{name}/job-endpoints")
    assert destroy(deployed, name) == 0
    assert not deployed.description.there
    assert deployed.arn("DatabaseSecret") not in capsys.readouterr().out


@pytest.mark.parametrize("typed", ["", "yes", "posthaste", "y"])
def test_another_word_deletes_nothing(
    deployed: Deployed, typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert destroy(deployed, typed) == 1
    assert deployed.description.there
    assert "DeleteStack" not in deployed.description.calls
    assert f"{typed!r} is not {deployed.cloud.stack!r}: nothing was deleted" in capsys.readouterr().err


def test_without_anybody_to_ask_nothing_is_deleted(
    deployed: Deployed, operator: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nobody(_question: str) -> str:
        raise EOFError

    operator.setattr("builtins.input", nobody)
    assert deployed.run("destroy") == 1
    assert deployed.description.there


def test_what_aws_does_not_allow_is_said(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.description.refused.add("DeleteStack")
    with pytest.raises(AwsUnavailable, match="not authorized to perform: DeleteStack"):
        destroy(deployed, deployed.cloud.stack)
    deployed.description.refused.add("DescribeStacks")
    assert deployed.run("destroy") == 1
    assert "not authorized to perform: DescribeStacks" in capsys.readouterr().err


def test_a_stack_that_is_not_there_cannot_be_destroyed(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.description.there = False
    assert deployed.run("destroy") == 1
    assert "there is no stack" in capsys.readouterr().err
