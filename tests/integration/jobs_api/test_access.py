"""Who gets in, who may act, how often, and what is remembered."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from functions.jobs_api.access import limits
from functions.jobs_api.access.keys import find_key, parse
from shared import secrets
from shared.database import Connection
from shared.errors import SecretUnavailable
from tests.integration.jobs_api.client import Client, new_key
from tests.integration.jobs_api.conftest import Keys
from tests.integration.jobs_api.rows import everything, failed


def actions(connection: Connection) -> list[tuple[str, str, str | None, str | None]]:
    rows = connection.execute(
        "SELECT key_name, action, target, outcome FROM api_actions ORDER BY id"
    ).fetchall()
    return [(row["key_name"], row["action"], row["target"], row["outcome"]) for row in rows]


# --- keys ----------------------------------------------------------------------------------------------------


def test_nobody_gets_in_without_a_key(keys: Keys) -> None:
    answer = keys.nobody.get("/v1/jobs")
    assert answer.status == 401
    assert answer.json == {"error": "this takes an API key: Authorization: Bearer ph_…"}
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("given", ["", "ph_wrong", "ünïcödé", "\x00", "ph_" + "x" * 5000])
def test_a_key_that_is_none_of_ours_is_refused(keys: Keys, given: str) -> None:
    assert Client(given).get("/v1/jobs").status == 401


@pytest.mark.parametrize("header", ["Basic b3BzOm9wcw==", "ph_x", "Bearer", "Bearer  "])
def test_another_scheme_is_refused(keys: Keys, header: str) -> None:
    assert Client(headers={"Authorization": header}).get("/v1/jobs").status == 401


def test_the_scheme_is_read_in_any_case(keys: Keys) -> None:
    assert Client(headers={"Authorization": f"bEARER {keys.ops.key}"}).get("/v1/jobs").status == 200


def test_a_key_that_was_taken_out_stops_working(keys: Keys, environment: pytest.MonkeyPatch) -> None:
    assert keys.reader.get("/v1/jobs").status == 200
    environment.setenv("API_KEYS", new_key("other")[1])
    assert keys.reader.get("/v1/jobs").status == 401


def test_keys_come_from_the_secret_and_are_read_anew(keys: Keys, environment: pytest.MonkeyPatch) -> None:
    (old, old_entry), (new, new_entry) = new_key("a"), new_key("b")
    held = {"API_KEYS": old_entry}
    environment.delenv("API_KEYS")
    environment.setenv("API_SECRET_ARN", "arn:api")
    environment.setattr(secrets, "_secret_string", lambda _arn: json.dumps(held))
    assert (Client(old).get("/v1/jobs").status, Client(new).get("/v1/jobs").status) == (200, 401)
    held["API_KEYS"] = new_entry
    environment.setattr(secrets, "_REFRESH_SECONDS", -1.0)  # a minute has passed
    assert (Client(old).get("/v1/jobs").status, Client(new).get("/v1/jobs").status) == (401, 200)


def test_without_any_key_nobody_gets_in(keys: Keys, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("API_KEYS", "")
    environment.setenv("API_SECRET_ARN", "arn:api")
    environment.setattr(secrets, "_secret_string", lambda _arn: "{}")
    assert keys.ops.get("/v1/jobs").status == 401


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", r"entry 1 is not NAME:read\|write"),
        ("a:admin:*:" + "0" * 64, "entry 1 is not"),
        ("a:read:0:" + "0" * 64, "entry 1 is not"),
        ("a:read:-1:" + "0" * 64, "entry 1 is not"),
        ("a:read:*:" + "0" * 63, "entry 1 is not"),
        ("a:read:*:" + "0" * 64 + ",a:read:*:" + "1" * 64, "entry 2 repeats another's name"),
    ],
)
def test_entries_that_cannot_be_read_are_named(
    keys: Keys, environment: pytest.MonkeyPatch, text: str, says: str
) -> None:
    with pytest.raises(SecretUnavailable, match=says):
        parse(text)
    environment.setenv("API_KEYS", text)
    answer = keys.ops.get("/v1/jobs")
    assert (answer.status, "0000" in answer.text) == (503, False)


def test_every_entry_is_compared(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """How long it takes tells neither whether a key is there nor where."""
    import hmac

    compared: list[str] = []
    real = hmac.compare_digest

    def compare(one: str, other: str) -> bool:
        compared.append(one)
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for key in (keys.ops.key, keys.foreign.key, "ph_none"):
        compared.clear()
        find_key(key or "")
        assert len(compared) == 5


# --- rights --------------------------------------------------------------------------------------------------


def test_a_key_that_reads_does_not_act(keys: Keys, connection: Connection) -> None:
    job_id = failed(connection)
    before = everything(connection)
    for path, body in [
        ("/v1/jobs", {"type": "crm-match", "payload": {"listingId": 1, "agentId": 1}}),
        (f"/v1/jobs/{job_id}/retry", None),
        (f"/v1/jobs/{job_id}/cancel", None),
        ("/v1/jobs/replay", {"filter": {"type": "crm-match"}}),
        ("/v1/jobs/cancel", {"filter": {"type": "crm-match"}}),
        ("/v1/schedules/x/pause", None),
    ]:
        answer = keys.reader.post(path, body)
        assert (answer.status, "may read only" in answer.text) == (403, True), path
    assert everything(connection) == before


# --- limits --------------------------------------------------------------------------------------------------


def test_wrong_keys_are_refused_unheard_after_some_and_right_ones_never(
    keys: Keys, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FAILED_ATTEMPTS", 3)
    statuses = [Client("ph_wrong").get("/v1/jobs").status for _time in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    answer = Client("ph_wrong").get("/v1/jobs")
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    assert keys.ops.get("/v1/jobs").status == 200
    assert Client("ph_wrong", ip="203.0.113.8").get("/v1/jobs").status == 401
    row = connection.execute("SELECT max(times) AS times FROM api_limits").fetchone()
    assert row == {"times": 4}  # the fifth and sixth were refused without a write


def test_another_process_counts_on(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FAILED_ATTEMPTS", 3)
    for _time in range(3):
        Client("ph_wrong").get("/v1/jobs")
    limits.forget()
    assert Client("ph_wrong").get("/v1/jobs").status == 429


def test_actions_and_reads_of_a_key_are_limited(
    keys: Keys, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = failed(connection)
    monkeypatch.setattr(limits, "ACTIONS", 1)
    monkeypatch.setattr(limits, "READS", 4)
    assert keys.ops.post(f"/v1/jobs/{job_id}/retry").status == 200
    assert keys.ops.post(f"/v1/jobs/{job_id}/cancel").status == 429
    assert [keys.ops.get("/v1/types").status for _time in range(3)] == [200, 200, 429]
    assert keys.own.get("/v1/types").status == 200


def test_minutes_that_are_over_are_removed(keys: Keys, connection: Connection) -> None:
    connection.execute("INSERT INTO api_limits VALUES ('old', now() - interval '2 hours', 9)")
    Client("ph_wrong").get("/v1/jobs")
    rows = connection.execute("SELECT counted FROM api_limits").fetchall()
    assert [row["counted"] for row in rows] == ["failed attempts of 203.0.113.7"]


# --- what is remembered --------------------------------------------------------------------------------------


def test_every_action_is_noted_with_its_end(keys: Keys, connection: Connection) -> None:
    job_id = failed(connection, organization_id=7)
    keys.own.post(f"/v1/jobs/{job_id}/retry")
    keys.own.post(f"/v1/jobs/{job_id}/retry")
    keys.ops.post("/v1/jobs/replay", {"filter": {"userId": 5}})
    assert actions(connection) == [
        ("acme", "retry", str(job_id), "done"),
        (
            "acme",
            "retry",
            str(job_id),
            f"refused: job {job_id} has not ended: it is pending. Cancel it first, or wait",
        ),
        ("ops", "replay", None, "done"),
    ]
    listed = keys.ops.get("/v1/actions").json["actions"]
    assert [each["action"] for each in listed] == ["replay", "retry", "retry"]
    assert listed[0]["details"] == {"filter": {"userId": 5}, "limit": 100, "jobs": 0}
    assert (listed[1]["sourceIp"], listed[1]["via"], listed[1]["organizationId"]) == ("203.0.113.7", "api", 7)
    of_job = keys.ops.get("/v1/actions", target=job_id, limit=1).json
    assert (of_job["actions"][0]["outcome"][:7], len(of_job["actions"])) == ("refused", 1)
    following = keys.ops.get("/v1/actions", target=job_id, before=of_job["next"]).json
    assert ([each["outcome"] for each in following["actions"]], following["next"]) == (["done"], None)
    assert keys.foreign.get("/v1/actions").json["actions"] == []


def test_what_cannot_be_noted_is_not_done(keys: Keys, connection: Connection) -> None:
    job_id = failed(connection)
    connection.execute("ALTER TABLE api_actions RENAME TO gone")
    try:
        assert keys.ops.post(f"/v1/jobs/{job_id}/retry").status == 503
    finally:
        connection.execute("ALTER TABLE gone RENAME TO api_actions")
    row = connection.execute("SELECT status FROM job_executions").fetchone()
    assert row == {"status": "failed"}


def test_a_payload_is_not_noted(keys: Keys, connection: Connection) -> None:
    body = {"type": "crm-match", "payload": {"listingId": 12345, "agentId": 2}, "headers": {"X-A": "secret-header"},
            "callback": "https://a.example.com/secret"}  # fmt: skip
    assert keys.ops.post("/v1/jobs", body).status == 202
    noted = str(connection.execute("SELECT * FROM api_actions").fetchall())
    assert not [secret for secret in ("12345", "secret-header", "example.com") if secret in noted]


# --- headers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/jobs", "/health", "/openapi.json", "/v1/nothing"])
def test_every_answer_has_its_headers(keys: Keys, path: str) -> None:
    for client in (keys.ops, keys.nobody, replace(keys.ops, key="ph_x")):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert "cache-control" in headers


def test_the_document_is_served_to_anyone(keys: Keys) -> None:
    answer = keys.nobody.get("/openapi.json")
    assert (answer.status, answer.json["openapi"], "/v1/jobs" in answer.json["paths"]) == (200, "3.1.0", True)


def test_a_monitor_may_ask_by_head(keys: Keys) -> None:
    answer = keys.nobody.send("HEAD", "/health")
    assert (answer.status, answer.text) == (200, "")
    assert keys.nobody.send("HEAD", "/v1/jobs").status == 401
