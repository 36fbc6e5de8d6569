"""What each function loads when it starts. Cold start is mostly imports, so a function is held to its list."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.artifact.template import ROOT, TEMPLATE, Function, sample_environment

# What no function may load when it starts, each 90 to 340 ms of CPU where all a worker needs takes 230. Powertools
# itself loads its tracing module and the bare name botocore, both light: the X-Ray SDK and a session are what costs.
DEAR = {"boto3", "botocore.session", "stripe", "aws_xray_sdk"}
MAIL = {
    "resend",
    "requests",
    "jinja2",
}  # resend takes httpx too where it finds it, and the layer has it for qstash
FILES = {"boto3", "botocore.session"}
CLIENTS = {"qstash", "httpx", "requests"}

#                     must load    must not load
TABLE = {
    "send_email":     (MAIL,       DEAR | {"qstash"}),
    "send_notification": (MAIL,    DEAR | {"qstash"}),
    "send_reminder":  ({"qstash"}, DEAR | {"resend", "jinja2"}),
    "syndicate_listing": ({"httpx"}, DEAR | MAIL | {"qstash"}),
    "crm_match":      (set[str](), DEAR | MAIL | CLIENTS),
    "export_data":    (FILES,      (DEAR - FILES) | MAIL | CLIENTS),
    "generate_report": (FILES,     (DEAR - FILES) | MAIL | CLIENTS | {"reportlab"}),
    "cleanup_old_data": (FILES,    (DEAR - FILES) | MAIL | CLIENTS),
    "process_webhook": (set[str](), DEAR | MAIL | CLIENTS),
    "process_stripe_webhook": (set[str](), DEAR | MAIL | CLIENTS),
    "jobs_api":       ({"qstash", "jinja2"}, DEAR | {"resend", "requests", "reportlab"}),
    "record_failure": (set[str](), DEAR | MAIL),
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


def test_each_function_has_its_list() -> None:
    assert set(TABLE) == set(FUNCTIONS)


@pytest.mark.parametrize("folder", TABLE)
def test_function_loads_what_its_list_says(folder: str) -> None:
    needed, unwanted = TABLE[folder]
    loaded = _loaded(f"functions.{folder}.handler", FUNCTIONS[folder])
    assert needed - loaded == set()
    assert unwanted & loaded == set()


def test_bare_worker_loads_nothing_dear(tmp_path: Path) -> None:
    (tmp_path / "bare_worker.py").write_text(BARE_WORKER)
    loaded = _loaded("bare_worker", FUNCTIONS["send_email"], tmp_path)
    assert "shared.worker" in loaded
    assert (DEAR | MAIL | CLIENTS) & loaded == set()


def _loaded(module: str, function: Function, *folders: Path) -> set[str]:
    """The modules that a fresh interpreter holds after importing one."""
    environment = sample_environment(function) | {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *folders))),
    }
    program = f"import {module}, json, sys; print(json.dumps(list(sys.modules)))"
    command = [sys.executable, "-B", "-c", program]
    result = subprocess.run(
        command, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))
