"""infra/events: each function has one; a job's is signed afresh, and runs on the example data."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from infra.local.cloud import LocalCloud
from infra.local.qstash.delivery.signing import sign
from infra.seed import seed
from infra.signed_events import EVENTS, event_of, main, signed_event
from infra.template import ROOT, Template
from shared import signature
from shared.envelope import scheduled_job_id
from shared.errors import InvalidSignature
from shared.registry import JobType
from shared.requests import parse

TEMPLATE = Template()
FUNCTIONS = {function.folder.replace("_", "-") for function in TEMPLATE.functions.values()}


@pytest.fixture(scope="module", autouse=True)
def seeded(cloud: LocalCloud) -> None:
    with psycopg.connect(cloud.database_url) as connection:
        seed(connection)


def test_each_function_has_an_event() -> None:
    assert {each.stem for each in EVENTS.glob("*.json")} == FUNCTIONS


@pytest.mark.parametrize("job_type", list(map(str, JobType)))
def test_a_jobs_event_runs_on_the_example_data(cloud: LocalCloud, job_type: str) -> None:
    event = signed_event(job_type)
    url, body = cloud.endpoints[job_type], event["body"].encode()
    token = sign(cloud.qstash.current_signing_key, url=url, body=body, now=time.time())
    headers = {name: value for name, value in event["headers"].items() if name != "host"}
    headers["upstash-signature"] = token
    for _delivery in range(2):
        answer = httpx.post(url, content=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
    job = row(cloud, scheduled_job_id(headers["upstash-message-id"]))
    assert (job["job_type"], job["status"], job["attempt"]) == (job_type, "completed", 1), job["error"]


def row(cloud: LocalCloud, job_id: UUID) -> dict[str, Any]:
    with psycopg.connect(cloud.database_url, row_factory=dict_row) as connection:
        found = connection.execute("SELECT * FROM job_executions WHERE job_id = %s", [job_id]).fetchone()
    assert found is not None
    return found


# --- signing -----------------------------------------------------------------------------------------------


def verified(event: dict[str, Any], signing_key: str) -> None:
    request = parse(event)
    token = request.headers["upstash-signature"]
    signature.verify(token, body=request.body, url=request.url, keys=[signing_key])


@pytest.fixture
def without_keys(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("QSTASH_CURRENT_SIGNING_KEY", raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", [*map(str, JobType), "record-failure"])
def test_it_is_signed_for_its_url_and_body(
    without_keys: pytest.MonkeyPatch, cloud: LocalCloud, name: str
) -> None:
    verified(signed_event(name), cloud.qstash.current_signing_key)  # the documented key for development
    without_keys.setenv("QSTASH_CURRENT_SIGNING_KEY", "sig_mine")
    event = signed_event(name)
    verified(event, "sig_mine")
    with pytest.raises(InvalidSignature):
        verified(event | {"body": "{}"}, "sig_mine")


def test_each_is_a_job_of_its_own() -> None:
    ids = {signed_event("ping")["headers"]["upstash-message-id"] for _ in range(3)}
    assert len(ids) == 3
    assert "jobId" not in json.loads(signed_event("ping")["body"])


def test_what_is_no_request_is_not_signed() -> None:
    assert signed_event("reconcile") == event_of("reconcile")
    assert signed_event("provision") == event_of("provision")


# --- the command -------------------------------------------------------------------------------------------


def test_make_prints_it(cloud: LocalCloud) -> None:
    command = [
        "make",
        "-s",
        "-o",
        "setup",
        "event",
        "JOB=send-email",
        'PAYLOAD={"to": "grace@example.com", "template": "welcome", "data": {"name": "Grace"}}',
    ]
    environment = {name: value for name, value in os.environ.items() if name != "QSTASH_CURRENT_SIGNING_KEY"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    event = json.loads(done.stdout)
    verified(event, cloud.qstash.current_signing_key)
    assert json.loads(event["body"])["payload"]["to"] == "grace@example.com"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([""], "there is no event ''; there are cleanup-old-data, "),
        (["send-mail"], "there is no event 'send-mail'; there are "),
        (["send-email", "--payload", "{"], "PAYLOAD is no JSON object"),
        (["send-email", "--payload", "[]"], "must be a mapping"),
        (["send-email", "--payload", '{"to": "nobody"}'], "SendEmail: to: "),
    ],
)
def test_what_it_cannot_make_is_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
