"""Enqueue, read, cancel and run again over HTTP: the same as in Python, with the same words."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from infra.local.qstash import QStashServer
from infra.payload_keys import new_entry
from shared.columns import REDACTED
from shared.database import Connection
from shared.dispatcher import enqueue
from shared.errors import InvalidJob
from shared.jobs.crm_match import CrmMatch
from shared.jobs.send_email import SendEmail
from tests.integration.conftest import Read
from tests.integration.jobs_api.conftest import OWN, Keys
from tests.integration.jobs_api.rows import NOBODYS, everything, failed
from tests.integration.test_executions import put

MATCH = {"type": "crm-match", "payload": {"listingId": 42, "agentId": 7}}
RESET = {
    "to": "ada@example.com",
    "template": "passwordReset",
    "data": {
        "name": "Ada",
        "resetUrl": "https://app.example.com/reset/t0ken",
        "expiresAt": "2026-01-02T03:04:05Z",
    },
}


def stored(connection: Connection, job_id: UUID | str) -> dict[str, Any]:
    row = connection.execute("SELECT * FROM job_executions WHERE job_id = %s", [job_id]).fetchone()
    assert row is not None
    return row


# --- enqueue -------------------------------------------------------------------------------------------------


def test_a_job_is_accepted_with_all_its_options_and_published(
    keys: Keys, qstash: QStashServer, connection: Connection
) -> None:
    options = {
        "userId": 5, "organizationId": 9, "idempotencyKey": "k", "notBefore": "2100-01-01T00:00:00+02:00", "retries": 1,
        "headers": {"X-A": "b"}, "callback": "https://a.example.com/x", "failureCallback": "https://a.example.com/y",
    }  # fmt: skip
    answer = keys.ops.post("/v1/jobs", MATCH | options | {"notBefore": None, "delay": 60})
    assert answer.status == 202
    row = stored(connection, answer.json["jobId"])
    assert (row["job_type"], row["payload"], row["user_id"], row["organization_id"]) == (
        "crm-match",
        MATCH["payload"],
        5,
        9,
    )
    assert (row["idempotency_key"], row["max_attempts"]) == ("k", 2)
    assert row["failure_callback"] == "https://a.example.com/y"
    assert row["publish_options"]["headers"] == {"X-A": "b"}
    assert row["published_at"] is not None


def test_qstash_down_is_no_error_to_whoever_enqueues(keys: Keys, connection: Connection) -> None:
    answer = keys.ops.post("/v1/jobs", MATCH)
    assert (answer.status, stored(connection, answer.json["jobId"])["published_at"]) == (202, None)


def test_a_repeated_key_is_the_same_job_and_with_another_payload_a_conflict(
    keys: Keys, connection: Connection
) -> None:
    first, again = (keys.ops.post("/v1/jobs", MATCH | {"idempotencyKey": "k"}) for _time in range(2))
    assert first.json == again.json
    other = keys.ops.post(
        "/v1/jobs", MATCH | {"idempotencyKey": "k", "payload": {"listingId": 1, "agentId": 1}}
    )
    assert (other.status, first.json["jobId"] in other.json["error"]) == (409, True)
    assert keys.own.post("/v1/jobs", MATCH | {"idempotencyKey": "k"}).json != first.json


@pytest.mark.parametrize(
    ("job_type", "payload", "model"),
    [
        ("crm-match", {}, CrmMatch),
        ("crm-match", {"listingId": "42", "agentId": 0, "more": 1}, CrmMatch),
        ("send-email", {"to": "nobody", "template": "welcome", "data": {}}, SendEmail),
        ("send-email", {"to": "a@example.com", "template": "nonsense", "data": {"name": 1}}, SendEmail),
        ("send-email", RESET | {"data": {"name": "Ada", "resetUrl": "nonsense"}}, SendEmail),
    ],
)
def test_a_wrong_payload_is_told_in_the_words_that_python_has(
    keys: Keys, connection: Connection, job_type: str, payload: dict[str, Any], model: Any
) -> None:
    with pytest.raises(InvalidJob) as caught:
        model(**payload)
    answer = keys.ops.post("/v1/jobs", {"type": job_type, "payload": payload})
    assert (answer.status, answer.json["error"]) == (400, str(caught.value))
    assert [(each["field"], each["message"]) for each in answer.json["problems"]] == list(
        caught.value.problems
    )
    assert everything(connection) == []


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"delay": -1}, "delay"),
        ({"delay": 1, "notBefore": "2030-01-01T00:00:00Z"}, "payload"),
        ({"notBefore": "2030-01-01T00:00:00"}, "notBefore"),
        ({"notBefore": "9999-12-31T23:59:59-14:00"}, "notBefore"),
        ({"retries": 51}, "retries"),
        ({"userId": 0}, "userId"),
        ({"organizationId": 2**63}, "organizationId"),
        ({"headers": {"Upstash-Retries": "1"}}, "headers"),
        ({"callback": "ftp://x"}, "callback"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
        ({"type": "send-sms"}, "type"),
        ({"payload": []}, "payload"),
        ({"payload": None}, "payload"),
        ({"user_id_": 5}, "user_id_"),
    ],
)
def test_a_wrong_option_is_named(
    keys: Keys, connection: Connection, options: dict[str, Any], field: str
) -> None:
    answer = keys.ops.post("/v1/jobs", MATCH | options)
    assert (answer.status, answer.json["problems"][0]["field"]) == (400, field)
    assert everything(connection) == []


def test_a_message_that_qstash_refuses_is_told(
    keys: Keys, qstash: QStashServer, environment: pytest.MonkeyPatch
) -> None:
    urls = {"crm-match": "http:%2F%2Fx", "record-failure": "https://b.example.com"}
    environment.setenv("JOB_ENDPOINTS", json.dumps(urls))
    answer = keys.ops.post("/v1/jobs", MATCH)
    assert (answer.status, "QStash refused" in answer.json["error"]) == (400, True)


# --- read ----------------------------------------------------------------------------------------------------


def test_a_job_is_shown_whole(keys: Keys, connection: Connection) -> None:
    job_id = failed(connection, user_id=5, organization_id=9, progress=Jsonb({"done": 1, "total": 2}))
    shown = keys.reader.get(f"/v1/jobs/{job_id}").json
    assert (shown["jobId"], shown["type"], shown["status"]) == (str(job_id), "crm-match", "failed")
    assert (shown["payload"], shown["progress"]) == ({"listingId": 1, "agentId": 2}, {"done": 1, "total": 2})
    assert [(each["type"], each["message"]) for each in shown["errors"]] == [("ValueError", "no luck")]
    assert (shown["userId"], shown["organizationId"], shown["sensitive"]) == (5, 9, False)


@pytest.mark.parametrize(
    "path", [f"/v1/jobs/{NOBODYS}", f"/v1/batches/{NOBODYS}", f"/v1/batches/{NOBODYS}/jobs"]
)
def test_what_is_not_there_is_not_found(keys: Keys, path: str) -> None:
    assert keys.ops.get(path).status == 404


def test_sensitive_jobs_are_redacted_for_everyone(
    keys: Keys, connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("PAYLOAD_KEYS", new_entry())
    plain = put(connection, job_type="send-notification", payload=Jsonb({"ssn": "078-05-1120"}), status="completed",
                attempt=1, result=Jsonb({"ssn": "078-05-1120"}))  # fmt: skip
    for client in (keys.ops, keys.reader):
        answer = client.get(f"/v1/jobs/{plain}")
        assert (answer.json["payload"], answer.json["result"], answer.json["sensitive"]) == (
            REDACTED,
            REDACTED,
            True,
        )
        assert "078-05-1120" not in answer.text + client.get("/v1/jobs").text


def test_marked_fields_are_redacted_and_an_edit_leaves_them_as_they_are(
    keys: Keys, connection: Connection
) -> None:
    job_id = failed(connection, job_type="send-email", payload=Jsonb(RESET))
    answer = keys.ops.get(f"/v1/jobs/{job_id}")
    assert "t0ken" not in answer.text
    payload = answer.json["payload"]
    assert payload["data"]["resetUrl"] == REDACTED
    payload["data"]["name"] = "Grace"
    assert keys.ops.post(f"/v1/jobs/{job_id}/retry", {"payload": payload}).json == {"done": True}
    kept = stored(connection, job_id)["payload"]
    assert (kept["data"]["name"], kept["data"]["resetUrl"]) == ("Grace", RESET["data"]["resetUrl"])  # type: ignore[index]


def test_what_is_too_large_is_left_out_and_the_rest_is_there(keys: Keys, connection: Connection) -> None:
    large = Jsonb({"text": "x" * 7_000_000})
    job_id = put(connection, payload=large, status="completed", attempt=1, result=large, progress=large,
                 errors=Jsonb([{"message": "x" * 8_000, "traceback": "y" * 8_000}] * 200))  # fmt: skip
    answer = keys.ops.get(f"/v1/jobs/{job_id}")
    assert (answer.status, len(answer.text) < 2_000_000) == (200, True)
    assert answer.json["payload"] == answer.json["result"] == {"omitted": "too large for a list"}
    assert (len(answer.json["errors"]), answer.json["errorCount"], answer.json["progress"]) == (32, 200, None)


# --- act -----------------------------------------------------------------------------------------------------


def test_a_waiting_job_is_cancelled_with_its_reason(keys: Keys, connection: Connection) -> None:
    job_id = put(connection)
    assert keys.ops.post(f"/v1/jobs/{job_id}/cancel", {"reason": "a mistake"}).json == {"done": True}
    row = stored(connection, job_id)
    assert (row["status"], row["error"]) == ("cancelled", "a mistake")
    assert keys.ops.post(f"/v1/jobs/{job_id}/cancel").status == 409


def test_without_a_reason_the_key_is_named(keys: Keys, connection: Connection) -> None:
    job_id = put(connection)
    keys.ops.post(f"/v1/jobs/{job_id}/cancel")
    assert stored(connection, job_id)["error"] == "cancelled by ops"


def test_a_dead_letter_runs_again_with_a_corrected_payload(
    keys: Keys, qstash: QStashServer, connection: Connection
) -> None:
    job_id = failed(connection)
    corrected = {"listingId": 2, "agentId": 2}
    assert keys.ops.post(f"/v1/jobs/{job_id}/retry", {"payload": corrected}).status == 200
    row = stored(connection, job_id)
    assert (row["status"], row["run"], row["payload"], row["published_at"] is None) == (
        "pending",
        2,
        corrected,
        False,
    )


def test_a_payload_that_is_still_wrong_changes_nothing(keys: Keys, connection: Connection) -> None:
    job_id = failed(connection)
    before = everything(connection)
    answer = keys.ops.post(f"/v1/jobs/{job_id}/retry", {"payload": {"listingId": 0}})
    assert (answer.status, answer.json["problems"][0]["field"]) == (400, "listingId")
    assert everything(connection) == before


@pytest.mark.parametrize("status", ["pending", "processing", "retrying", "completed"])
def test_only_what_has_failed_or_was_cancelled_runs_again(
    keys: Keys, connection: Connection, status: str
) -> None:
    job_id = put(connection, status=status, attempt=0 if status == "pending" else 1)
    before = everything(connection)
    answer = keys.ops.post(f"/v1/jobs/{job_id}/retry", {"payload": {"listingId": 1, "agentId": 1}})
    assert (answer.status, status in answer.json["error"]) == (409, True)
    assert everything(connection) == before


def test_a_sensitive_job_is_corrected_unseen(
    keys: Keys, connection: Connection, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("PAYLOAD_KEYS", new_entry())
    job_id = failed(connection, job_type="send-notification", organization_id=OWN)
    answer = keys.ops.post(f"/v1/jobs/{job_id}/retry", {"payload": {"secret": "078-05-1120"}})
    assert (answer.status, "078-05-1120" in answer.text) == (400, False)


# --- many at once --------------------------------------------------------------------------------------------


def statuses(connection: Connection) -> dict[str, int]:
    rows = connection.execute(
        "SELECT status, count(*) AS jobs FROM job_executions GROUP BY status"
    ).fetchall()
    return {row["status"]: row["jobs"] for row in rows}


def test_dead_letters_are_replayed_in_portions_until_none_is_left(
    keys: Keys, qstash: QStashServer, connection: Connection
) -> None:
    for number in range(25):
        failed(connection, error=f"rate limit of customer {number}" if number % 5 else "other")
    asked = {"filter": {"error": "RATE limit"}}
    assert keys.reader.get("/v1/jobs/count", error="RATE limit").json == {"count": 20, "complete": True}
    seen: list[str] = []
    cursor, calls = None, 0
    while True:
        done = keys.ops.post("/v1/jobs/replay", {**asked, "limit": 8, "cursor": cursor}).json
        seen += done["jobIds"]
        calls, cursor = calls + 1, done["next"]
        # What fails again at once is not met again.
        connection.execute(
            "UPDATE job_executions SET status = 'failed', error = 'rate limit', completed_at = now() WHERE status = 'pending'"
        )
        if cursor is None:
            break
    assert (len(seen), len(set(seen)), calls) == (20, 20, 3)
    runs = connection.execute(
        "SELECT run, count(*) AS jobs FROM job_executions GROUP BY run ORDER BY run"
    ).fetchall()
    assert [(row["run"], row["jobs"]) for row in runs] == [(1, 5), (2, 20)]


def test_waiting_jobs_are_cancelled_and_running_ones_only_when_asked_for(
    keys: Keys, connection: Connection
) -> None:
    for _number in range(3):
        put(connection)
    put(connection, status="processing")
    done = keys.ops.post("/v1/jobs/cancel", {"filter": {"type": "crm-match"}}).json
    assert (len(done["jobIds"]), done["skipped"], done["next"]) == (3, 0, None)
    assert statuses(connection) == {"cancelled": 3, "processing": 1}
    keys.ops.post("/v1/jobs/cancel", {"filter": {"status": "processing"}})
    assert statuses(connection) == {"cancelled": 4}


def test_a_call_that_takes_too_long_goes_on_where_it_stopped(
    keys: Keys, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from functions.jobs_api.acting import bulk

    for _number in range(5):
        put(connection)
    monkeypatch.setattr(bulk, "_SECONDS", 0.0)
    cursor, done = None, []
    while True:
        answer = keys.ops.post("/v1/jobs/cancel", {"filter": {"status": "pending"}, "cursor": cursor}).json
        done.append(len(answer["jobIds"]))
        cursor = answer["next"]
        if cursor is None:
            break
    assert (sum(done), statuses(connection)) == (5, {"cancelled": 5})
    assert done[0] == 1


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/v1/jobs/replay", {"filter": {}}, "at least one filter"),
        ("/v1/jobs/cancel", {"filter": {}}, "at least one filter"),
        ("/v1/jobs/replay", {}, "not valid"),
        ("/v1/jobs/replay", {"filter": {"organizationId": None}}, "at least one filter"),
        ("/v1/jobs/replay", {"filter": {"status": "processing"}}, "failed or cancelled"),
        ("/v1/jobs/replay", {"filter": {"status": "completed"}}, "failed or cancelled"),
        ("/v1/jobs/cancel", {"filter": {"status": "failed"}}, "pending or retrying or processing"),
        ("/v1/jobs/replay", {"filter": {"stauts": "failed"}}, "not valid"),
        ("/v1/jobs/replay", {"filter": {"status": "failed"}, "cursor": "nonsense"}, "cursor is none of ours"),
        ("/v1/jobs/replay", {"filter": {"status": "failed"}, "limit": 501}, "not valid"),
    ],
)
def test_many_are_not_acted_on_by_mistake(
    keys: Keys, connection: Connection, path: str, body: dict[str, Any], says: str
) -> None:
    failed(connection), put(connection), put(connection, status="processing")
    before = everything(connection)
    answer = keys.ops.post(path, body)
    assert (answer.status, says in answer.json["error"]) == (400, True), answer.text
    assert everything(connection) == before


def test_the_same_in_python_and_over_http(keys: Keys, read: Read) -> None:
    by_http = keys.ops.post("/v1/jobs", MATCH | {"organizationId": 5}).json["jobId"]
    in_python = enqueue(CrmMatch(listing_id=42, agent_id=7), organization_id=5)
    first, second = read(UUID(by_http)), read(in_python)
    for name in ("job_type", "payload", "organization_id", "max_attempts", "status", "run", "attempt"):
        assert getattr(first, name) == getattr(second, name)
