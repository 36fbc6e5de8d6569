"""The command line finds a deployed stack's API by its environment, as CloudFormation describes it to real boto3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from infra.cli.__main__ import main
from infra.cli.session import Session
from infra.local import environment as local
from infra.local.aws import REGION
from tests.deployment.aws import Description, credentials, described

Run = Callable[..., int]


@pytest.fixture
def description(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Description]:
    """A stack that is deployed, and an operator with credentials and the key of its API."""
    stack = Description(
        "acme-dev", {}, outputs={"DashboardUrl": "https://abc.lambda-url.eu-central-1.on.aws/"}
    )
    with described(stack) as address:
        for name, value in {
            "AWS_ENDPOINT_URL_CLOUDFORMATION": address,
            **credentials(tmp_path),
            "JOBS_API_URL": "http://127.0.0.1:1",
            "JOBS_API_KEY": "ph_key",
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_PROFILE", "MAKEFLAGS"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(local, "ENVIRONMENT", tmp_path / "env")
        yield stack


@pytest.fixture
def run(tmp_path: Path, description: Description) -> Run:
    """Run a command; whom it asks is written to a file."""
    samconfig = tmp_path / "samconfig.toml"
    samconfig.write_text('[dev.deploy.parameters]\nstack_name = "acme-dev"\n')

    def answer(request: httpx.Request) -> httpx.Response:
        asked = f"{request.method} {request.url} {request.headers['authorization']}"
        (tmp_path / "asked").write_text(asked)
        return httpx.Response(200, json={"jobs": [], "next": None, "searchedTo": None})

    return lambda *arguments: main(
        arguments, Session(samconfig=samconfig, transport=httpx.MockTransport(answer))
    )


@pytest.mark.parametrize("arguments", [("list", "--env", "dev"), ("--env", "dev", "list")])
def test_the_stacks_own_api_is_asked(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(*arguments) == 0
    asked = (tmp_path / "asked").read_text()
    assert asked == "GET https://abc.lambda-url.eu-central-1.on.aws/v1/jobs?limit=20 Bearer ph_key"


def test_what_is_wrong_is_told(
    run: Run, description: Description, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> tuple[int, str]:
        return run("list", "--env", "dev"), capsys.readouterr().err

    description.outputs = {}
    assert told() == (
        1,
        "✗ acme-dev has no output DashboardUrl: it is older than the API; `make deploy ENV=dev`\n",
    )
    description.refused = {"DescribeStacks"}
    code, words = told()
    assert (code, "not authorized to perform: DescribeStacks" in words) == (3, True)
    description.refused, description.there = set(), False
    assert told() == (1, f"✗ there is no stack acme-dev in {REGION}: `make deploy ENV=dev`\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    code, words = told()
    assert (code, "there are no AWS credentials: run `aws configure`" in words) == (3, True)
    assert json.dumps(words).count("\\n") == 1
