"""What each function loads when it starts. Cold start is mostly imports, so a function is held to its list."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.webhooks import LOCAL_SECRETS
from tests.artifact.template import ROOT, TEMPLATE, Function, sample_environment

# What no function may load when it starts, each 90 to 340 ms of CPU where all a worker needs takes 230. Powertools
# itself loads its tracing module and the bare name botocore, both light: the X-Ray SDK and a session are what costs. And
# the test kit, which the layer does not hold.
DEAR = {"boto3", "botocore.session", "stripe", "aws_xray_sdk", "shared.testing"}
MAIL = {
    "resend",
    "requests",
    "jinja2",
}  # resend takes httpx too where it finds it, and the layer has it for qstash
FILES = {"boto3", "botocore.session"}
CLIENTS = {"qstash", "httpx", "requests"}

# A function that is not in the table loads none of it.
BARE = (set[str](), DEAR | MAIL | CLIENTS)
#                     must load    must not load
TABLE = {
    "send_email":     (MAIL,       DEAR | {"qstash"}),
    "send_notification": (MAIL,    DEAR | {"qstash"}),
    "send_reminder":  ({"qstash"}, DEAR | {"resend", "jinja2"}),
    "syndicate_listing": ({"httpx"}, DEAR | MAIL | {"qstash"}),
    "export_data":    (FILES,      (DEAR - FILES) | MAIL | CLIENTS),
    "generate_report": (FILES,     (DEAR - FILES) | MAIL | CLIENTS | {"reportlab"}),
    "cleanup_old_data": (FILES,    (DEAR - FILES) | MAIL | CLIENTS),
    "jobs_api":       ({"qstash", "jinja2"}, DEAR | {"resend", "requests", "reportlab"}),
    "record_failure": (set[str](), DEAR | MAIL),
    "receive_webhook": ({"qstash"}, DEAR | MAIL | {"standardwebhooks"}),
    "provision":              ({"qstash", "httpx"}, DEAR | MAIL),
    "reconcile":      (set[str](), DEAR | MAIL),
}  # fmt: skip

BARE_WORKER = """
from shared.envelope import Payload
from shared.registry import JobType
from shared.worker import Job, job_worker

class Nothing(Payload, type=JobType.SEND_EMAIL):
    pass

@job_worker(Nothing)
def handler(job: Job[Nothing]) -> None:
    pass
"""

FUNCTIONS = {function.folder: function for function in TEMPLATE.functions.values()}


def test_each_list_is_a_functions() -> None:
    assert set(TABLE) <= set(FUNCTIONS)


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_function_loads_what_its_list_says(folder: str) -> None:
    needed, unwanted = TABLE.get(folder, BARE)
    loaded = _loaded(f"functions.{folder}.handler", FUNCTIONS[folder])
    assert needed - loaded == set()
    assert unwanted & loaded == set()


#             must load                  must not load
SOURCES = {
    "/github":            (set[str](),          {"stripe", "standardwebhooks", "requests"}),
    "/resend":            ({"standardwebhooks"}, {"stripe", "requests"}),
    "/custom/accounting": ({"standardwebhooks"}, {"stripe", "requests"}),
    "/stripe":            ({"stripe"},          {"standardwebhooks"}),
}  # fmt: skip

RECEIVER = """
import json, os, sys
from functions.receive_webhook.handler import handler

class Context:
    aws_request_id = "1"

with open("{event}") as file:
    event = json.load(file)
print(handler(event | {{"rawPath": "{path}"}}, Context())["statusCode"], file=sys.stderr)
"""


@pytest.mark.parametrize("path", SOURCES)
def test_a_received_event_pays_for_its_own_source_only(path: str, tmp_path: Path) -> None:
    """The event is a ping of GitHub's, which is answered; elsewhere it is refused once all is loaded that it takes."""
    event = ROOT / "infra" / "events" / "receive-webhook.json"
    (tmp_path / "receiver.py").write_text(RECEIVER.format(event=event, path=path))
    needed, unwanted = SOURCES[path]
    loaded, said = _run("receiver", FUNCTIONS["receive_webhook"], tmp_path, **LOCAL_SECRETS)
    assert said.splitlines()[-1] == ("200" if path == "/github" else "401")
    assert needed - loaded == set()
    assert (unwanted | DEAR - {"stripe"}) & loaded == set()


def test_bare_worker_loads_nothing_dear(tmp_path: Path) -> None:
    (tmp_path / "bare_worker.py").write_text(BARE_WORKER)
    loaded = _loaded("bare_worker", FUNCTIONS["send_email"], tmp_path)
    assert "shared.worker" in loaded
    assert BARE[1] & loaded == set()


def _loaded(module: str, function: Function, *folders: Path) -> set[str]:
    """The modules that a fresh interpreter holds after importing one."""
    return _run(module, function, *folders)[0]


def _run(module: str, function: Function, *folders: Path, **more: str) -> tuple[set[str], str]:
    """The modules that a fresh interpreter holds after importing one, and what it has complained of."""
    environment = (
        sample_environment(function)
        | more
        | {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *folders))),
        }
    )
    program = f"import {module}, json, sys; print(json.dumps(list(sys.modules)))"
    command = [sys.executable, "-B", "-c", program]
    result = subprocess.run(
        command, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1])), result.stderr
