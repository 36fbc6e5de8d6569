"""What is wrong is said, and nothing is done: never an error of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.database import Connection
from tests.integration.jobs_api.conftest import Keys
from tests.integration.jobs_api.rows import everything, failed

JSON = {"Content-Type": "application/json"}
MATCH = {"type": "crm-match", "payload": {"listingId": 1, "agentId": 1}}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("stauts=failed", "stauts"),
        ("status=done", "status"),
        ("type=send-sms", "type"),
        ("userId=0", "userId"),
        ("userId=9223372036854775808", "userId"),
        ("userId=1.5", "userId"),
        ("userId=", "userId"),
        ("organizationId=-1", "organizationId"),
        ("createdAfter=yesterday", "createdAfter"),
        ("createdAfter=2026-01-01T00:00:00", "createdAfter"),
        ("createdBefore=0001-01-01T00:00:00%2B14:00", "createdBefore"),
        ("createdBefore=9999-12-31T23:59:59-14:00", "createdBefore"),
        ("error=", "error"),
        ("error=%00", "error"),
        ("error=" + "x" * 201, "error"),
        ("errorGroup=x", "errorGroup"),
        ("idempotencyKey=a%00b", "idempotencyKey"),
        ("batchId=1", "batchId"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("status=failed&status=pending", "status"),
        ("user_id=5", "user_id"),
        ("%ff=1", "\ufffd"),
        ("&".join(f"a{number}=1" for number in range(60)), ""),
    ],
)
def test_a_filter_that_is_none_is_named(keys: Keys, query: str, says: str) -> None:
    answer = keys.ops.send("GET", "/v1/jobs", query=query)
    assert answer.status == 400
    assert says in [problem["field"] for problem in answer.json.get("problems", [{"field": ""}])]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b"5",
        b"\xff\xfe",
        b'{"type": "crm-match"',
        b'{"type": "crm-match", "payload": {"listingId": NaN}}',
        b'{"type": "crm-match", "payload": {"listingId": 1e999, "agentId": 1}}',
        b'{"type": "crm-match", "payload": {"listingId": ' + b"9" * 5000 + b"}}",
        b'{"type": "crm-match", "payload": {"x": "\\u0000"}}',
        b'{"type": "crm-match", "payload": {"\\ud800": 1}}',
        b'{"type": "crm-match", "payload": {"x": ["\\udfff"]}}',
        b'{"type": "crm-match", "payload": ' + b'{"x":' * 200 + b"1" + b"}" * 200 + b"}",
        b'{"type": "crm-match", "payload": ' + b"[" * 100_000,
        b'{"payload": {}}',
        b'{"type": ["crm-match"], "payload": {}}',
    ],
    ids=lambda body: repr(body[:40]),
)
def test_a_body_that_is_none_is_refused(keys: Keys, connection: Connection, body: bytes) -> None:
    answer = keys.ops.send("POST", "/v1/jobs", body=body, headers=JSON)
    assert (answer.status, bool(answer.json["error"])) == (400, True)
    assert everything(connection) == []


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "",
    ],
)
def test_only_json_is_taken(keys: Keys, connection: Connection, content_type: str) -> None:
    """So that no form of another site can send it."""
    headers = {"Content-Type": content_type} if content_type else {}
    answer = keys.ops.send("POST", "/v1/jobs", body=json.dumps(MATCH).encode(), headers=headers)
    assert answer.status == 415
    assert everything(connection) == []


@pytest.mark.parametrize("content_type", ["application/json", "APPLICATION/JSON; charset=utf-8"])
def test_json_is_taken_however_it_is_spelled(keys: Keys, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    assert keys.ops.send("POST", "/v1/jobs", body=json.dumps(MATCH).encode(), headers=headers).status == 202


@pytest.mark.parametrize(
    "path", ["/v1/jobs/nonsense", "/v1/jobs/%00", "/v1/batches/1", "/v1/jobs/../../etc/passwd"]
)
def test_an_id_that_is_none_is_refused(keys: Keys, path: str) -> None:
    assert keys.ops.get(path).status in {400, 404}


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/jobs/"])
def test_a_path_that_is_none_is_not_found(keys: Keys, path: str) -> None:
    assert keys.ops.get(path).status == 404


@pytest.mark.parametrize("path", ["//v1/jobs", "/V1/jobs", "/.env"])
def test_a_path_that_is_not_the_apis_is_a_pages_which_no_key_opens(keys: Keys, path: str) -> None:
    answer = keys.ops.get(path)
    assert answer.status == 303
    assert "/sign-in?" in answer.headers["location"]
    assert not answer.headers["location"].startswith(("/", "http"))  # nowhere but here


@pytest.mark.parametrize(("method", "path", "allow"), [("DELETE", "/v1/jobs", "GET, POST"), ("PUT", "/v1/types", "GET"),
                                                      ("POST", "/v1/types", "GET"), ("PATCH", "/health", "GET")])  # fmt: skip
def test_another_method_is_told_which(keys: Keys, method: str, path: str, allow: str) -> None:
    answer = keys.ops.send(method, path)
    assert (answer.status, answer.headers["allow"]) == (405, allow)


def test_scripts_in_errors_and_payloads_come_back_as_data(keys: Keys, connection: Connection) -> None:
    job_id = failed(connection, error="<script>alert(1)</script>")
    answer = keys.ops.get(f"/v1/jobs/{job_id}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["error"] == "<script>alert(1)</script>"


def test_postgres_out_of_reach_is_no_secret_and_no_error_of_ours(
    keys: Keys, environment: pytest.MonkeyPatch
) -> None:
    from shared import database

    database.discard()
    environment.setenv("DATABASE_URL", "postgresql://somebody:hunter2@127.0.0.1:1/x")
    for answer in (keys.ops.get("/v1/jobs"), keys.ops.post("/v1/jobs", MATCH), keys.nobody.get("/health")):
        assert (answer.status, "hunter2" in answer.text, answer.headers["retry-after"]) == (503, False, "5")


def test_an_error_of_ours_tells_nothing(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    from functions.jobs_api.api import jobs

    def broken(*_given: Any) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(jobs, "list_jobs", broken)
    answer = keys.ops.get("/v1/jobs")
    assert (answer.status, answer.json) == (
        500,
        {"error": "something went wrong here; the function's log says what"},
    )
