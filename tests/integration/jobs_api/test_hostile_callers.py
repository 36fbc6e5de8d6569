"""Who tries to get round the limits, the rights, a session or the border of an organization."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.jobs_api.access import limits
from functions.jobs_api.reading import listing
from infra.local.qstash import QStashServer
from shared import database
from shared.database import Connection
from shared.jobs.crm_match import CrmMatch
from shared.schedules import schedule
from tests.integration.jobs_api.browser import Browser
from tests.integration.jobs_api.client import Client
from tests.integration.jobs_api.conftest import FOREIGN, OWN, Keys
from tests.integration.jobs_api.rows import batch, failed
from tests.integration.test_executions import put

MATCH = {"type": "crm-match", "payload": {"listingId": 1, "agentId": 1}}


# --- access --------------------------------------------------------------------------------------------------


def test_an_address_of_version_six_is_its_network(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has one has 2^64 of them."""
    monkeypatch.setattr(limits, "FAILED_ATTEMPTS", 3)
    statuses = [
        Client("ph_wrong", ip=f"2001:db8:0:1::{number:x}").get("/v1/jobs").status for number in range(5)
    ]
    assert statuses == [401, 401, 401, 429, 429]
    assert Client("ph_wrong", ip="2001:db8:0:2::1").get("/v1/jobs").status == 401


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "True-Client-IP"]
)
def test_no_header_gets_round_the_limit(keys: Keys, monkeypatch: pytest.MonkeyPatch, header: str) -> None:
    monkeypatch.setattr(limits, "FAILED_ATTEMPTS", 1)
    statuses = [Client("ph_x", headers={header: f"198.51.100.{n}"}).get("/v1/jobs").status for n in range(3)]
    assert statuses == [401, 429, 429]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/jobs", MATCH),
        ("POST", "/v1/jobs/replay", {"filter": {"status": "failed"}}),
        ("DELETE", "/v1/jobs", {}),
    ],
)
def test_who_tried_without_the_right_is_noted(
    keys: Keys, connection: Connection, method: str, path: str, body: dict[str, Any]
) -> None:
    answer = keys.own_reader.send(
        method, path, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status == 403
    (noted,) = keys.own.get("/v1/actions").json["actions"]
    assert (noted["keyName"], noted["action"], noted["target"], noted["details"]) == (
        "acme-reader", "try to act", None, {"request": f"{method} {path}"},
    )  # fmt: skip
    assert noted["outcome"].startswith("refused: the key 'acme-reader' may read only")


def test_so_it_is_on_pages_and_signing_out_is_no_act(keys: Keys, connection: Connection) -> None:
    job_id = failed(connection)
    browser = Browser()
    browser.sign_in(keys.reader.key)
    browser.open("/jobs")
    assert browser.post(f"/jobs/{job_id}/retry", {"token": browser.token}).status == 403
    noted = keys.ops.get("/v1/actions").json["actions"]
    assert [(each["action"], each["via"]) for each in noted] == [
        ("try to act", "dashboard"),
        ("sign in", "dashboard"),
    ]
    browser.open("/jobs")
    browser.submit("/sign-out")
    assert browser.path == "/sign-in"


def test_attempts_without_the_right_are_limited_too(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a row: a key that may only read must not fill the table."""
    monkeypatch.setattr(limits, "ACTIONS", 2)
    statuses = [keys.reader.post("/v1/jobs", MATCH).status for _time in range(4)]
    assert statuses == [403, 403, 429, 429]
    assert len(keys.ops.get("/v1/actions").json["actions"]) == 2


def test_signing_in_anew_ends_the_session_before(keys: Keys, connection: Connection) -> None:
    browser = Browser()
    browser.sign_in(keys.reader.key)
    earlier = browser.cookie
    answer = browser.post("/sign-in", {"key": keys.ops.key or ""})  # from a tab that was left open
    assert (answer.status, browser.cookie != earlier) == (200, True)
    browser.cookie = earlier
    browser.open("/jobs")
    assert browser.path == "/sign-in"
    assert connection.execute("SELECT count(*) AS kept FROM api_sessions").fetchone() == {"kept": 1}


def test_a_cookie_that_is_no_token_costs_postgres_nothing(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(database, "run", asked.append)
    for value in ("x", "x" * 8_000, "../..", "%00", "a" * 42, "a" * 43 + "="):
        browser = Browser()
        browser.cookie = f"__Host-posthaste={value}"
        browser.open("/jobs")
        assert browser.path == "/sign-in"
    assert asked == []


def test_of_two_cookies_one_counts_and_none_is_mixed(keys: Keys, browser: Browser) -> None:
    own = browser.cookie
    for cookies in (f"other=1; {own}", f"{own}; __Host-posthaste=x", f"__Host-posthasteX=1; {own}"):
        stranger = Browser()
        stranger.cookie = cookies
        assert stranger.open("/jobs").status == 200
        assert stranger.path == "/jobs"


def test_neither_key_nor_payload_nor_session_is_logged(
    keys: Keys, connection: Connection, capfd: pytest.CaptureFixture[str]
) -> None:
    browser = Browser()
    browser.sign_in("ph_a-key-that-is-wrong")
    browser.sign_in(keys.ops.key)
    job_id = failed(connection, job_type="send-email")
    keys.ops.post("/v1/jobs", {"type": "send-email", "payload": {"to": "nobody-should-log-this"}})
    keys.ops.post(f"/v1/jobs/{job_id}/retry", {"payload": {"to": "nobody-should-log-this"}})
    browser.open(f"/jobs/{job_id}")
    logged = "".join(capfd.readouterr())
    token = browser.cookie.partition("=")[2]
    for secret in (
        "ph_a-key-that-is-wrong",
        keys.ops.key or "",
        token,
        browser.token,
        "nobody-should-log-this",
    ):
        assert secret not in logged


# --- tenants -------------------------------------------------------------------------------------------------


def test_a_schedules_latest_run_is_its_own_organizations(
    keys: Keys, connection: Connection, qstash: QStashServer
) -> None:
    """Its name may have been another's before."""
    schedule(CrmMatch(listing_id=1, agent_id=1), "0 3 * * *", schedule_id="nightly", organization_id=OWN)
    own = put(connection, schedule_id="nightly", organization_id=OWN)
    failed(connection, schedule_id="nightly", organization_id=FOREIGN, error="of another")
    answer = keys.own.get("/v1/schedules")
    assert answer.json["schedules"][0]["lastRun"]["jobId"] == str(own)
    assert "of another" not in answer.text


def test_how_far_a_search_by_key_came_tells_nothing_of_others(
    keys: Keys, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_SCAN", 2)
    own = put(connection, organization_id=OWN, idempotency_key="daily")
    for number in range(5):
        put(connection, organization_id=100 + number, idempotency_key="daily")
    page = keys.own.get("/v1/jobs", idempotencyKey="daily").json
    assert ([job["jobId"] for job in page["jobs"]], page["next"], page["searchedTo"]) == (
        [str(own)],
        None,
        None,
    )


def test_an_organizations_batches_are_found_behind_thousands_of_others(
    keys: Keys, connection: Connection
) -> None:
    own = [str(batch(connection, OWN)) for _number in range(3)]
    connection.execute(
        "INSERT INTO job_batches (id, total, remaining, then_job_id, then_job) SELECT "
        "('ffffffff-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 1, 1, gen_random_uuid(), "
        '\'{"job_type": "crm-match", "organization_id": 8}\' FROM generate_series(1, 2500) AS n'
    )
    first = keys.own.get("/v1/batches", limit=2).json
    assert ([each["id"] for each in first["batches"]], first["next"]) == (own[:0:-1], own[1])
    second = keys.own.get("/v1/batches", limit=2, before=first["next"]).json
    assert ([each["id"] for each in second["batches"]], second["next"]) == (own[:1], None)
    assert len(keys.ops.get("/v1/batches", organizationId=OWN).json["batches"]) == 3
    assert keys.own.get("/v1/batches", organizationId=FOREIGN).status == 403
