"""`make sam-local`: with Docker all functions run in containers; without, it says so. What it asserts can fail."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from typing import Any

import httpx
import pytest

from infra.local.background import Background
from infra.local.cloud import LocalCloud
from infra.sam_local.bridge import Bridge
from infra.sam_local.calls import Answers, Calls, NotAsItMust, cloudformation
from infra.sam_local.stack import local_template, variables
from infra.template import ROOT, Template
from tests.deployment.conftest import TEMPLATE
from tests.deployment.serving import serving

ANOTHER_ADDRESS = "127.0.0.2"  # this machine's too, on Linux


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "-s", "-o", "setup", "-o", ".venv-sam/.ready", "sam-local", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, check=False
    )


def docker_is_there() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


# Asked for, because it takes minutes and one run at a time: SAM's images have the same names in every checkout.
@pytest.mark.docker
@pytest.mark.skipif(
    not os.environ.get("TEST_SAM_LOCAL"),
    reason="`make sam-local` does the same; TEST_SAM_LOCAL=1 runs it here",
)
@pytest.mark.skipif(not docker_is_there(), reason="no Docker engine answers here")
def test_every_function_runs_in_a_container() -> None:
    done = make()
    assert done.returncode == 0, done.stdout + done.stderr
    if "skipped: " in done.stdout:
        pytest.skip(done.stdout.strip())
    lines = [line for line in done.stdout.splitlines() if line.startswith("✓ ")]
    assert {line.split()[1].rstrip(":") for line in lines[:-1]} == set(TEMPLATE.functions)
    assert "✓ SendEmailFunction (sam local invoke): its job is completed" in done.stdout


def test_without_docker_it_says_so_and_is_no_failure() -> None:
    done = make(DOCKER_HOST="unix:///nowhere/docker.sock")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert line.startswith("· sam-local skipped: ")
    assert "Docker" in line


def test_a_function_that_is_not_there_is_named() -> None:
    done = make("ONLY=PongFunction")
    assert done.returncode == 2
    assert "template.yaml has no function PongFunction; it has SendEmailFunction, " in done.stderr


# --- what it asserts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "returned", "said"),
    [
        ("ping", {"errorType": "ImportModuleError"}, "it returned"),
        ("ping", {"statusCode": 401, "body": "{}"}, "it returned"),
        ("ping", {"statusCode": 200, "body": "{}"}, "it answered 200, and its job is None"),
        ("reconcile", {"errorMessage": "no"}, "it returned"),
        ("record-failure", {"statusCode": 200, "body": '{"ok": true, "settled": false}'}, "it returned"),
        ("provision", None, "CloudFormation was told nothing"),
    ],
)
def test_a_function_that_does_not_do_its_work_is_told(
    cloud: LocalCloud, name: str, returned: Any, said: str
) -> None:
    calls = Calls(cloud, Answers("http://127.0.0.1:1/"))
    with pytest.raises(NotAsItMust, match=said):
        calls.call(name, lambda _event: returned)


def test_what_cloudformation_is_told_is_looked_at(cloud: LocalCloud) -> None:
    with cloudformation("127.0.0.1") as answers:
        calls = Calls(cloud, answers)

        def invoke(event: dict[str, Any], status: str) -> None:
            httpx.put(event["ResponseURL"], content=json.dumps({"Status": status, "PhysicalResourceId": "x"}))

        assert "x is there" in calls.call("provision", lambda event: invoke(event, "SUCCESS"))
        with pytest.raises(NotAsItMust, match="FAILED"):
            calls.call("provision", lambda event: invoke(event, "FAILED"))


# --- what containers are given -----------------------------------------------------------------------------


def test_containers_find_this_machine_at_its_address(cloud: LocalCloud) -> None:
    given = variables(cloud, TEMPLATE, "172.30.77.1")
    assert set(given) == set(TEMPLATE.functions)
    for each in given.values():
        assert not [name for name, value in each.items() if "127.0.0.1" in value]
        assert each["PARAMETERS_SECRETS_EXTENSION_HTTP_PORT"] == ""
    arn = given["PingFunction"]["DATABASE_SECRET_ARN"]
    assert arn == given["SendEmailFunction"]["DATABASE_SECRET_ARN"]
    client = cloud.aws._client("secretsmanager")
    entries = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    assert entries["DATABASE_URL"].startswith("postgresql://postgres@172.30.77.1:")


def test_every_variable_is_declared_for_sam(cloud: LocalCloud, tmp_path: Any) -> None:
    built = tmp_path / "template.yaml"
    shutil.copy(ROOT / "template.yaml", built)
    given = variables(cloud, TEMPLATE, "172.30.77.1")
    functions = Template(local_template(built, given)).functions
    for name, each in given.items():
        assert set(each) <= set(functions[name].variables)
        assert functions[name].properties["Layers"] == [{"Ref": "SharedLayer"}]


def test_the_bridge_leads_to_the_same_port_here() -> None:
    with Background() as background, serving(lambda asked: (200, asked.path)) as url:
        port = int(url.rpartition(":")[2])
        bridge = Bridge(ANOTHER_ADDRESS, [port])
        background.call(bridge.start())
        answers: list[str] = []

        def ask(number: int) -> None:
            answers.append(httpx.get(f"http://{ANOTHER_ADDRESS}:{port}/{number}").text)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        background.call(bridge.stop())
        assert sorted(answers) == ["/0", "/1", "/2", "/3", "/4"]
        with socket.socket() as probe:
            assert probe.connect_ex((ANOTHER_ADDRESS, port)) != 0
