"""What somebody tries who means harm, or whose client is broken."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from functions.jobs_api.access import limits
from functions.jobs_api.access.callers import Caller, acting_as
from functions.jobs_api.access.keys import find_key
from functions.jobs_api.acting import bulk
from functions.jobs_api.acting import jobs as acting
from functions.jobs_api.reading import listing
from functions.jobs_api.shapes import BulkRequest, Filters
from infra.local.qstash import QStashServer
from shared import database
from shared.columns import OMITTED, REDACTED
from shared.database import Connection
from shared.errors import JobNotEnded, PosthasteError
from shared.jobs.crm_match import CrmMatch
from shared.schedules import schedule
from tests.integration.jobs_api.browser import OWN_FORM, Browser
from tests.integration.jobs_api.client import Client
from tests.integration.jobs_api.conftest import FOREIGN, OWN, Keys
from tests.integration.jobs_api.rows import batch, everything, failed
from tests.integration.test_executions import put

MATCH = {"type": "crm-match", "payload": {"listingId": 1, "agentId": 1}}


@pytest.fixture
def browser(keys: Keys) -> Browser:
    """Signed in as one who may do everything."""
    opened = Browser()
    opened.sign_in(keys.ops.key)
    return opened


# --- addresses -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "window", ["0000036005", "000003600" + "0" * 5000, "9" * 5000, "٣٦٠٠", "-3600", "3600.0"]
)
def test_a_window_that_is_none_is_the_usual_one(browser: Browser, window: str) -> None:
    assert browser.open(f"/?window={window}").status == 200


@pytest.mark.parametrize("path", ["/jobs/{}", "/v1/jobs/{}"])
@pytest.mark.parametrize(
    "spell",
    [
        lambda job_id: "\n" + job_id.replace("-", "")[1:],  # what int() makes of it is the same number
        lambda job_id: job_id.replace("0", "０"),
        lambda job_id: f"{{{job_id}}}",
        lambda job_id: f"urn:uuid:{job_id}",
        lambda job_id: job_id.upper(),
    ],
)
def test_an_id_in_another_spelling_leads_nowhere_else(
    keys: Keys, browser: Browser, connection: Connection, spell: Callable[[str], str], path: str
) -> None:
    job_id = str(failed(connection))
    asked = path.format(spell(job_id))
    if path.startswith("/v1"):
        assert keys.ops.get(asked).status in {200, 400, 404}
        return
    browser.open("/jobs")
    fields = f"token={browser.token}".encode()
    answer = browser._client.send(
        "POST", f"{asked}/retry", body=fields, headers=OWN_FORM | browser._headers()
    )
    location = answer.headers.get("location", "")
    assert (answer.status, location) in {(404, ""), (303, f"../../jobs/{job_id}?done=retried")}


@pytest.mark.parametrize(
    "following", ["jobs/é", "jobs/١", "jobs?error=%0d%0aSet-Cookie:x", "jobs\r\nSet-Cookie: x"]
)
def test_a_location_holds_nothing_but_plain_characters(keys: Keys, following: str) -> None:
    body = f"key={keys.ops.key}&next={following}".encode()
    answer = Client().send("POST", "/sign-in", body=body, headers=OWN_FORM)
    assert answer.status == 303
    assert answer.headers["location"].isascii()
    assert not set(answer.headers["location"]) & set("\r\n")
    assert len(answer.cookies) == 1


def test_a_very_long_address_is_not_carried_along(keys: Keys) -> None:
    """Lambda refuses an answer whose headers are too long."""
    answer = Client().send("GET", "/jobs/" + "x" * 5000, query="y=" + "%C3%A9" * 2000)
    assert (answer.status, len(answer.headers["location"]) < 2_000) == (303, True)


@pytest.mark.parametrize(
    "path",
    ["/v1/jobs/%2e%2e/%2e%2e/etc/passwd", "/v1/../v1/jobs", "/v1/jobs//", "/v1/jobs/%2f", "/v1/jobs/x/../count",
     "/v1/jobs/" + "9" * 8_000, "/v1/schedules/" + "%2e%2e%2f" * 40 + "/pause", "/v1/jobs/;/cancel", "/v1/jobs/..%5c"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "OPTIONS", "TRACE", "", "HEAD"])
def test_a_path_full_of_tricks_is_refused(keys: Keys, path: str, method: str) -> None:
    assert 400 <= keys.ops.send(method, path).status < 500


@pytest.mark.parametrize(
    "path",
    [
        "/jobs/%2e%2e%2f",
        "/assets/x/..%2f..%2fhandler.py",
        "//",
        "/jobs//",
        "/batches/%00",
    ],
)
@pytest.mark.parametrize("method", ["PUT", "OPTIONS", "TRACE", "HEAD", "DELETE"])
def test_so_it_is_on_pages(browser: Browser, path: str, method: str) -> None:
    assert 400 <= browser._client.send(method, path, headers=browser._headers()).status < 500


# --- bodies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\x1f\x8b\x08\x00" + b"\x00" * 100, {"Content-Encoding": "gzip"}),
        (b'{"type":"crm-match","payload":{"listingId":1e400,"agentId":1}}', {}),
        (b'{"type":"crm-match","payload":{"listingId":Infinity,"agentId":1}}', {}),
        (b'{"type":"crm-match","payload":{"listingId":9223372036854775808,"agentId":1}}', {}),
        (b'{"type":"crm-match","payload":{"listingId":' + b"9" * 4_000 + b',"agentId":1}}', {}),
        (b'{"a":' * 50_000, {}),
        (b'{"type":"crm-match","payload":{' + b",".join(b'"k%d":0' % n for n in range(20_000)) + b"}}", {}),
        (b'{"type":"crm-match","type":"crm-match","payload":{}}', {}),
        ('{"type":"crm-match","payload":{"x":"é"}}'.encode("utf-16"), {}),
        (b"\xef\xbb\xbf" + json.dumps(MATCH).encode(), {}),
        (b" " * 1_000_000, {}),
        (b'{"type":"crm-match","payload":{},"delay":1e308}', {}),
        (b'{"type":"crm-match","payload":{},"delay":-0.0,"notBefore":"infinity"}', {}),
        (b'{"type":"crm-match","payload":{},"notBefore":"294276-12-31T00:00:00Z"}', {}),
        (b'{"type":"crm-match","payload":{},"notBefore":1e18}', {}),
    ],
    ids=lambda given: repr(given)[:50],
)  # fmt: skip
def test_a_body_full_of_tricks_is_refused_and_nothing_is_written(
    keys: Keys, connection: Connection, body: bytes, headers: dict[str, str]
) -> None:
    answer = keys.ops.send(
        "POST", "/v1/jobs", body=body, headers={"Content-Type": "application/json", **headers}
    )
    assert (answer.status, bool(answer.json["error"])) == (400, True)
    assert len(answer.text) < 200_000
    assert everything(connection) == []


def test_six_megabytes_are_read_or_refused_and_no_more(keys: Keys, connection: Connection) -> None:
    job_id = failed(connection)
    answer = keys.ops.post(
        f"/v1/jobs/{job_id}/retry", {"payload": {"listingId": 1, "agentId": "x" * 5_900_000}}
    )
    assert (answer.status, len(answer.text) < 2_000) == (400, True)


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


# --- what is redacted ----------------------------------------------------------------------------------------

EVENT = {"source": "custom", "event": "a.b", "data": {"n": 1}, "signature": "t0ps3cret"}


@pytest.mark.parametrize("shown", [REDACTED, OMITTED])
@pytest.mark.parametrize("place", ["data", "within", "list"])
def test_what_stands_for_a_value_is_never_written_as_one(
    keys: Keys, connection: Connection, shown: dict[str, str], place: str
) -> None:
    job_id = failed(connection, job_type="process-webhook", payload=Jsonb(EVENT))
    data = {"data": shown, "within": {"a": {"b": shown}}, "list": {"a": [1, [shown]]}}[place]
    before = everything(connection)
    for path, body in [
        (f"/v1/jobs/{job_id}/retry", {"payload": EVENT | {"data": data}}),
        ("/v1/jobs", {"type": "process-webhook", "payload": EVENT | {"data": data}}),
    ]:
        answer = keys.ops.post(path, body)
        assert (answer.status, "stands for a value" in answer.text) == (400, True), answer.text
    assert everything(connection) == before


# --- two at once ---------------------------------------------------------------------------------------------


def at_once(count: int, act: Callable[[], Any]) -> list[Any]:
    """What each of so many threads got, or its error."""
    gate, got = threading.Barrier(count), []

    def go() -> None:
        gate.wait()
        try:
            got.append(act())
        except PosthasteError as error:
            got.append(error)
        finally:
            database.discard()

    threads = [threading.Thread(target=go) for _number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return got


def caller(keys: Keys) -> Caller:
    key = find_key(keys.ops.key or "")
    assert key is not None
    return Caller(key, "api", "203.0.113.7")


def test_the_same_replayed_by_two_runs_once(keys: Keys, qstash: QStashServer, connection: Connection) -> None:
    made = {failed(connection) for _number in range(60)}
    asked = BulkRequest(filter=Filters(status="failed"), limit=60)

    def act() -> list[UUID]:
        with acting_as(caller(keys)):
            return bulk.replay(caller(keys), asked).job_ids

    first, second, third = at_once(3, act)
    assert sorted(first + second + third) == sorted(made)
    runs = connection.execute("SELECT DISTINCT run, publication FROM job_executions").fetchall()
    assert runs == [{"run": 2, "publication": 2}]


def test_of_two_corrections_one_counts_and_the_other_is_told(
    keys: Keys, qstash: QStashServer, connection: Connection
) -> None:
    job_id = failed(connection)
    numbers = iter([11, 22])

    def act() -> int:
        number = next(numbers)
        with acting_as(caller(keys)):
            acting.retry(caller(keys), job_id, {"listingId": number, "agentId": 1})
        return number

    got = at_once(2, act)
    (won,) = [each for each in got if isinstance(each, int)]
    (lost,) = [each for each in got if not isinstance(each, int)]
    assert isinstance(lost, JobNotEnded)
    row = connection.execute("SELECT payload, run FROM job_executions").fetchone()
    assert row == {"payload": {"listingId": won, "agentId": 1}, "run": 2}
    outcomes = [each["outcome"].partition(":")[0] for each in keys.ops.get("/v1/actions").json["actions"]]
    assert sorted(outcomes) == ["done", "refused"]


# --- Postgres ------------------------------------------------------------------------------------------------


def test_a_thaw_onto_a_dead_socket_is_not_noticed(
    keys: Keys, browser: Browser, connection: Connection
) -> None:
    job_id = failed(connection)
    for act in (
        lambda: keys.ops.get("/v1/jobs"),
        lambda: browser.open(f"/jobs/{job_id}"),
        lambda: keys.ops.get("/v1/statistics"),
        lambda: keys.ops.post(f"/v1/jobs/{job_id}/retry", {}),
    ):
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )
        assert act().status == 200


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"),
        psycopg.errors.QueryCanceled("canceling statement due to statement timeout"),
        psycopg.errors.DiskFull("could not extend file"),
        psycopg.errors.DeadlockDetected("deadlock detected"),
        psycopg.errors.InsufficientPrivilege("permission denied for table api_actions"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_postgres_cannot_do_now_is_said(
    keys: Keys, browser: Browser, monkeypatch: pytest.MonkeyPatch, error: psycopg.Error
) -> None:
    """A replica after a failover, a full disk, a statement's time: not the caller's fault, and to be tried again."""

    def refuse(_work: object) -> None:
        raise error

    cookie = browser._headers()
    monkeypatch.setattr(database, "run", refuse)
    api, page = keys.ops.get("/v1/jobs"), browser._client.send("GET", "/jobs", headers=cookie)
    for answer in (api, page):
        assert (answer.status, "retry-after" in answer.headers) == (503, True)
        assert str(error) not in answer.text


# --- what is shown -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["\U0001f600", '"', "<", "\x01", "é"])
def test_an_answer_is_never_larger_than_lambda_takes(
    keys: Keys, browser: Browser, connection: Connection, letter: str
) -> None:
    """Six megabytes, however its letters are written; a page indents, and what is nested deeply is mostly blanks."""
    nested: Any = [1] * 60_000
    for _level in range(80):
        nested = [nested]
    error = {"run": 1, "attempt": 1, "type": "E", "message": letter * 8_000, "traceback": letter * 8_000}
    shown = Jsonb({"text": letter * 15_000, "nested": nested})
    job_id = failed(connection, errors=Jsonb([error] * 60), payload=shown, result=shown, error=letter * 8_000)
    for answer in (keys.ops.get(f"/v1/jobs/{job_id}"), browser.open(f"/jobs/{job_id}")):
        assert (answer.status, len(answer.text.encode()) < 5_900_000) == (200, True), len(
            answer.text.encode()
        )
        assert answer.text.count("[1, 1") + answer.text.count("[1,1") >= 1
