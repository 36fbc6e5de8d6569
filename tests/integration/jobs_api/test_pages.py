"""The dashboard without a browser: who gets in, what forms do, and that nothing shown is more than text."""

from __future__ import annotations

import re
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from functions.jobs_api.access import limits
from functions.jobs_api.reading import figures
from infra.local.qstash import QStashServer
from shared.database import Connection
from shared.jobs.crm_match import CrmMatch
from shared.schedules import schedule
from tests.integration.jobs_api.browser import OWN_FORM, Browser
from tests.integration.jobs_api.conftest import FOREIGN, OWN, Keys
from tests.integration.jobs_api.rows import NOBODYS, batch, everything, failed
from tests.integration.test_executions import put

PAGES = ("/", "/jobs", "/dead-letters", "/schedules", "/batches", "/activity")


def status_of(connection: Connection, job_id: object) -> str:
    row = connection.execute("SELECT status FROM job_executions WHERE job_id = %s", [job_id]).fetchone() or {}
    return str(row["status"])


# --- sessions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PAGES, "/jobs?status=failed", f"/jobs/{NOBODYS}"])
def test_whoever_is_not_signed_in_is_asked_to_and_comes_back(keys: Keys, path: str) -> None:
    browser = Browser()
    answer = browser.open(path)
    assert (answer.status, "API key" in answer.text, browser.path) == (200, True, "/sign-in")
    browser.submit("/sign-in", key=keys.ops.key or "")
    assert browser.path == path.partition("?")[0]


def test_a_session_is_a_strict_cookie_that_scripts_cannot_read(keys: Keys, connection: Connection) -> None:
    browser = Browser()
    answer = browser._client.send("POST", "/sign-in", body=f"key={keys.ops.key}".encode(), headers=OWN_FORM)
    (cookie,) = answer.cookies
    assert cookie.startswith("__Host-posthaste=")
    assert cookie.endswith("; Max-Age=28800; Path=/; Secure; HttpOnly; SameSite=Strict")
    token = cookie.partition(";")[0].partition("=")[2]
    assert token not in str(connection.execute("SELECT * FROM api_sessions").fetchall())


def test_a_wrong_key_does_not_sign_in_and_few_can_be_tried(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FAILED_ATTEMPTS", 2)
    browser = Browser()
    answers = [browser.sign_in("ph_wrong") for _time in range(3)]
    assert [answer.status for answer in answers] == [401, 401, 429]
    assert "none of ours" in answers[0].text
    assert browser.cookie == ""


@pytest.mark.parametrize("ending", ["signed out", "expired", "key gone", "key rolled", "stolen and changed"])
def test_a_session_that_has_ended_opens_nothing(
    keys: Keys, browser: Browser, connection: Connection, environment: pytest.MonkeyPatch, ending: str
) -> None:
    cookie = browser.cookie
    match ending:
        case "signed out":
            browser.submit("/sign-out")
            assert browser.cookie == ""
        case "expired":
            connection.execute(
                "UPDATE api_sessions SET created_at = now() - interval '9 h', expires_at = now() - interval '1 s'"
            )
        case "key gone":
            environment.setenv("API_KEYS", "other:read:*:" + "0" * 64)
        case "key rolled":
            environment.setenv("API_KEYS", "ops:write:*:" + "0" * 64)
        case _:
            cookie = cookie[:-1] + ("A" if cookie[-1] != "A" else "B")
    browser.cookie = cookie
    browser.open("/jobs")
    assert browser.path == "/sign-in"


def test_a_session_is_no_key_and_a_key_no_session(keys: Keys, browser: Browser) -> None:
    assert browser.open("/v1/jobs").status == 401
    stranger = Browser()
    stranger.open("/jobs", headers={"Authorization": f"Bearer {keys.ops.key}"})
    assert stranger.path == "/sign-in"


def test_a_link_on_another_site_leads_to_the_page_all_the_same(keys: Keys) -> None:
    """The browser keeps a strict cookie back at first: the page asks again, from itself."""
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer = Browser().open("/jobs", headers=cross)
    assert (answer.status, 'http-equiv="refresh"' in answer.text) == (200, True)


@pytest.mark.parametrize(
    "following",
    [
        "//evil.example.com",
        "https://evil.example.com",
        "javascript:alert(1)",
        "\\evil",
        "jobs/../../x",
        "sign-out",
    ],
)
def test_signing_in_leads_nowhere_else(keys: Keys, following: str) -> None:
    browser = Browser()
    browser.open("/sign-in")
    answer = browser._client.send(
        "POST", "/sign-in", body=f"key={keys.ops.key}&next={following}".encode(), headers=OWN_FORM
    )
    assert (answer.status, answer.headers["location"]) == (303, "./")


def test_live_requests_are_told_when_signed_out(keys: Keys) -> None:
    assert Browser().open("/", headers={"X-Live": "1"}).status == 401


# --- forms ---------------------------------------------------------------------------------------------------

FOREIGN_FORMS: list[dict[str, str]] = [
    OWN_FORM | {"Sec-Fetch-Site": "cross-site"},
    OWN_FORM | {"Sec-Fetch-Site": "same-site"},
    OWN_FORM | {"Sec-Fetch-Site": "none"},
    {"Content-Type": OWN_FORM["Content-Type"], "Origin": "https://evil.example.com"},
    {"Content-Type": OWN_FORM["Content-Type"], "Origin": "null"},
    {"Content-Type": OWN_FORM["Content-Type"]},
]


@pytest.mark.parametrize("headers", FOREIGN_FORMS)
def test_a_form_of_another_site_does_nothing(
    keys: Keys, browser: Browser, connection: Connection, headers: dict[str, str]
) -> None:
    job_id = failed(connection)
    browser.open("/jobs")
    before = everything(connection)
    fields = {"token": browser.token}
    assert browser.post(f"/jobs/{job_id}/retry", fields, headers).status == 403
    assert browser.post("/sign-in", {"key": keys.ops.key or ""}, headers).status == 403
    assert everything(connection) == before


@pytest.mark.parametrize("token", ["", "x", "é", "0" * 64])
def test_a_form_without_the_sessions_token_does_nothing(
    browser: Browser, connection: Connection, token: str
) -> None:
    job_id = failed(connection)
    before = everything(connection)
    for path in (
        f"/jobs/{job_id}/retry",
        f"/jobs/{job_id}/correct",
        "/bulk/replay",
        "/schedules/x/pause",
        "/sign-out",
    ):
        answer = browser.post(path, {"token": token, "status": "failed", "payload": "{}"})
        assert (answer.status, "no longer valid" in answer.text) == (403, True)
    assert everything(connection) == before
    assert browser.open("/jobs").status == 200


def test_a_token_is_one_sessions(keys: Keys, browser: Browser, connection: Connection) -> None:
    other = Browser()
    other.sign_in(keys.ops.key)
    assert browser.post("/sign-out", {"token": other.token}).status == 403


@pytest.mark.parametrize("body", [b"\xff", b"a=%00", b"&".join(b"a%d=1" % n for n in range(60)), b"a=%ff"])
def test_a_form_that_is_none_is_refused(browser: Browser, body: bytes) -> None:
    answer = browser._client.send("POST", "/sign-in", body=body, headers=OWN_FORM)
    assert answer.status in {400, 401}


def test_whoever_may_only_read_sees_no_buttons_and_can_press_none(keys: Keys, connection: Connection) -> None:
    job_id = failed(connection)
    browser = Browser()
    browser.sign_in(keys.reader.key)
    page = browser.open(f"/jobs/{job_id}").text
    assert "Run again" not in page
    assert "textarea" not in page
    for path in (f"/jobs/{job_id}/retry", f"/jobs/{job_id}/correct", "/bulk/replay"):
        assert browser.post(path, {"token": browser.token, "status": "failed", "payload": "{}"}).status == 403
    assert status_of(connection, job_id) == "failed"


# --- what pages do -------------------------------------------------------------------------------------------


def test_a_failed_job_is_found_corrected_and_runs_again(
    browser: Browser, qstash: QStashServer, connection: Connection
) -> None:
    job_id = failed(connection, error="no such listing 42")
    put(connection, job_type="send-email")
    page = browser.open("/jobs?status=failed&error=such")
    assert "no such listing 42" in page.text
    assert len(re.findall(r"/jobs/[0-9a-f-]{36}", page.text)) == 1
    assert "no such listing 42" in browser.open(f"/jobs/{job_id}").text
    wrong = browser.submit("/correct", payload='{"listingId": 0')
    assert (wrong.status, "the body is not JSON" in wrong.text, "&#34;listingId&#34;: 0" in wrong.text) == (
        400,
        True,
        True,
    )
    wrong = browser.submit("/correct", payload='{"listingId": 0, "agentId": 2}')
    assert (wrong.status, "greater than or equal to 1" in wrong.text) == (400, True)
    assert status_of(connection, job_id) == "failed"
    right = browser.submit("/correct", payload='{"listingId": 7, "agentId": 2}')
    assert (right.status, "The payload was corrected" in right.text, browser.path) == (
        200,
        True,
        f"/jobs/{job_id}",
    )
    assert status_of(connection, job_id) == "pending"
    browser.submit("/cancel")
    assert status_of(connection, job_id) == "cancelled"
    browser.submit("/retry")
    assert status_of(connection, job_id) == "pending"
    assert "retry" in browser.open("/activity").text


def test_dead_letters_of_one_error_are_replayed_in_portions(
    browser: Browser, qstash: QStashServer, connection: Connection
) -> None:
    for number in range(130):
        failed(connection, error=f"limit of {number}")
    failed(connection, error="other")
    page = browser.open("/dead-letters")
    link = re.search(r'href="\./(bulk/replay\?[^"]*)"', page.text)
    assert link is not None
    preview = browser.open("/" + link[1].replace("&amp;", "&"))
    assert "Replay 130 jobs?" in preview.text
    first = browser.submit("/bulk/replay")
    assert "100 of 130 run again" in first.text
    second = browser.submit("/bulk/replay")
    assert "130 jobs run again." in second.text
    rows = connection.execute(
        "SELECT status, count(*) AS jobs FROM job_executions GROUP BY status ORDER BY status"
    ).fetchall()
    assert [(row["status"], row["jobs"]) for row in rows] == [("failed", 1), ("pending", 130)]


def test_schedules_are_paused_resumed_and_run(browser: Browser, qstash: QStashServer) -> None:
    schedule(CrmMatch(listing_id=1, agent_id=2), "0 3 * * *", schedule_id="nightly")
    assert "nightly" in browser.open("/schedules").text
    assert "paused" in browser.submit("/nightly/pause").text
    assert "runs again" in browser.submit("/nightly/resume").text
    assert "A run was set off" in browser.submit("/nightly/run").text


@pytest.mark.parametrize(
    "path",
    [
        "/bulk/replay",
        "/bulk/cancel?status=failed",
        "/bulk/replay?status=processing",
        "/bulk/replay?stauts=failed",
        "/bulk/replay?userId=x",
    ],
)
def test_a_bulk_action_that_is_none_is_refused(browser: Browser, path: str) -> None:
    assert browser.open(path).status == 400


@pytest.mark.parametrize(("path", "status"), [
    ("/jobs/nothing", 404), (f"/jobs/{NOBODYS}", 404), ("/batches/x", 404), (f"/batches/{NOBODYS}", 404), ("/nothing", 404),
    ("/bulk/delete", 404), ("/jobs?cursor=x", 400), ("/jobs?status=done", 400), ("/jobs?userId=x", 400),
    ("/jobs?error=%00", 400), ("/batches?before=x", 404), ("/activity?before=x", 200), ("/?window=7", 200), ("/?window=", 200),
    ("/assets/x/../handler.py", 404), ("/assets/x/pages.py", 404), ("/assets/x/%2e%2e%2fhandler.py", 404),
])  # fmt: skip
def test_an_address_that_is_none_is_answered_as_a_page(browser: Browser, path: str, status: int) -> None:
    answer = browser.open(path)
    assert (answer.status, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")


# --- what is shown -------------------------------------------------------------------------------------------

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
def hostile(browser: Browser, qstash: QStashServer, connection: Connection) -> dict[str, Any]:
    """A script in everything that a caller can choose."""
    batch_id = batch(connection)
    errors = [
        {
            "type": SCRIPT,
            "message": SCRIPT,
            "traceback": SCRIPT,
            "attempt": 1,
            "run": 1,
            "at": "2026-01-01T00:00:00Z",
        }
    ]
    job_id = failed(connection, error=SCRIPT, payload=Jsonb({SCRIPT: SCRIPT}), errors=Jsonb(errors), schedule_id=SCRIPT,
                    idempotency_key=SCRIPT, batch_id=batch_id, progress=Jsonb({"done": 1, "total": 2, "message": SCRIPT}),
                    job_type=SCRIPT, dlq_id=SCRIPT, qstash_message_id=SCRIPT)  # fmt: skip
    done = put(connection, status="completed", attempt=1, result=Jsonb(SCRIPT), progress=Jsonb(SCRIPT))
    schedule(CrmMatch(listing_id=1, agent_id=2), "0 3 * * *", schedule_id="nightly")
    browser.open(f"/jobs/{job_id}")
    return {"job": job_id, "batch": batch_id, "done": done}


def test_scripts_are_shown_as_text_on_every_page(browser: Browser, hostile: dict[str, Any]) -> None:
    from urllib.parse import quote

    pages = [*PAGES, f"/jobs/{hostile['job']}", f"/jobs/{hostile['done']}", f"/batches/{hostile['batch']}",
             f"/jobs?error={quote(SCRIPT)}", f"/jobs?userId={quote(SCRIPT)}", f"/bulk/replay?error={quote(SCRIPT)}"]  # fmt: skip
    shown = 0
    for path in pages:
        answer = browser.open(path)
        text = answer.text
        assert answer.status == (400 if "?" in path and "userId" in path else 200), path
        assert "<script>alert" not in text, path
        assert "<img src=x" not in text, path
        shown += "&lt;script&gt;alert" in text
    assert shown >= 6


def test_pages_hold_nothing_that_the_content_policy_forbids(
    browser: Browser, hostile: dict[str, Any]
) -> None:
    for path in (*PAGES, f"/jobs/{hostile['job']}"):
        answer = browser.open(path)
        assert answer.status == 200, path
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        tags = "".join(re.findall(r"<[^<>]*>", answer.text))
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son[a-z]+=|javascript:", tags), path
        assert answer.headers["cache-control"] == "no-store"


def test_another_organization_is_not_shown(keys: Keys, connection: Connection, qstash: QStashServer) -> None:
    mark = "only-the-other-organization-knows-this"
    job_id = failed(connection, organization_id=FOREIGN, error=mark, idempotency_key=mark)
    batch_id = batch(connection, FOREIGN)
    own = failed(connection, organization_id=OWN, error="ours")
    schedule(CrmMatch(listing_id=1, agent_id=2), "0 3 * * *", schedule_id=mark, organization_id=FOREIGN)
    browser = Browser()
    browser.sign_in(keys.own.key)
    for path in PAGES:
        answer = browser.open(path)
        assert (answer.status, mark in answer.text) == (200, False), path
    assert "ours" in browser.open("/jobs").text
    for path in (f"/jobs/{job_id}", f"/batches/{batch_id}"):
        assert browser.open(path).status == 404
    for path in (
        f"/jobs/{job_id}/retry",
        f"/jobs/{job_id}/cancel",
        f"/jobs/{job_id}/correct",
        f"/schedules/{mark}/pause",
    ):
        assert browser.post(path, {"token": browser.token, "payload": "{}"}).status == 404
    assert browser.open(f"/jobs?organizationId={FOREIGN}").status == 403
    assert browser.post("/bulk/replay", {"token": browser.token, "status": "failed"}).status == 200
    assert (status_of(connection, job_id), status_of(connection, own)) == ("failed", "pending")


def test_assets_are_kept_and_their_licence_lies_beside_them(browser: Browser) -> None:
    page = browser.open("/").text
    for path in re.findall(r'(?:href|src)="\./(assets/[^"]+)"', page):
        answer = browser.open("/" + path)
        assert (answer.status, answer.headers["cache-control"]) == (
            200,
            "public, max-age=31536000, immutable",
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
    licence = browser.open(re.sub(r"[^/]+$", "uplot.LICENSE.txt", "/" + path))
    assert "MIT" in licence.text


def test_links_hold_under_any_path(browser: Browser, connection: Connection) -> None:
    """A proxy or the local cloud may put the function under a path of its own."""
    job_id = failed(connection)
    for path in (*PAGES, f"/jobs/{job_id}"):
        for link in re.findall(r'(?:href|src|action)="([^"]+)"', browser.open(path).text):
            assert link.startswith(("./", "../", "#", "https://")), (path, link)


def test_every_page_is_there_whatever_the_jobs_are(
    browser: Browser, qstash: QStashServer, connection: Connection
) -> None:
    """One of each status, alone in its type and then all together; and none at all."""
    for status in ("none", "pending", "processing", "retrying", "completed", "failed", "cancelled"):
        if status != "none":
            job_id = put(
                connection, status=status, attempt=0 if status == "pending" else 1, job_type=f"only-{status}"
            )
            assert browser.open(f"/jobs/{job_id}").status == 200, status
        for path in PAGES:
            assert browser.open(path).status == 200, (status, path)


def test_the_payload_becomes_correctable_by_itself_and_is_not_taken_from_whoever_types(
    browser: Browser, connection: Connection
) -> None:
    """What is a part is renewed by the script: the plain payload, and never the form."""
    waiting, dead = put(connection), failed(connection)
    assert 'id="given" data-part' in browser.open(f"/jobs/{waiting}").text
    assert 'id="given">' in browser.open(f"/jobs/{dead}").text


@pytest.mark.parametrize(
    ("qstash_url", "address"),
    [
        ("https://qstash.upstash.io", "https://console.upstash.com/qstash"),
        ("https://qstash-us-east-1.upstash.io", "https://console.upstash.com/qstash"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/messages/msg_1%2F2"),
        ("https://evil.example.com/.upstash.io", "https://evil.example.com/.upstash.io/messages/msg_1%2F2"),
    ],
)
def test_a_jobs_message_is_named_and_found_where_qstash_shows_it(
    keys: Keys, connection: Connection, environment: pytest.MonkeyPatch, qstash_url: str, address: str
) -> None:
    environment.setenv("QSTASH_URL", qstash_url)
    browser = Browser()
    browser.sign_in(keys.reader.key)
    page = browser.open(f"/jobs/{put(connection, qstash_message_id='msg_1/2')}").text
    assert (f'href="{address}"' in page, '<code class="whole">msg_1/2</code>' in page) == (True, True)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_logs_are_linked_where_amazon_has_them(
    keys: Keys, connection: Connection, environment: pytest.MonkeyPatch, elsewhere: bool
) -> None:
    environment.setenv("AWS_REGION", "eu-central-1")
    environment.setenv("JOB_ENDPOINTS_PARAMETER", "/posthaste-dev/job-endpoints")
    environment.delenv("AWS_ENDPOINT_URL", raising=False)
    if elsewhere:
        environment.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:5005")
    browser = Browser()
    browser.sign_in(keys.reader.key)
    page = browser.open(f"/jobs/{put(connection)}").text
    assert ("posthaste-dev-CrmMatchLogGroup" in page) != elsewhere


def test_one_is_not_several(browser: Browser, connection: Connection) -> None:
    failed(connection)
    assert (
        "1 job has failed for good" in browser.open("/dead-letters").text
    )  # though some seconds ago there was none
    figures.forget()
    assert "1 dead letter waits for somebody" in browser.open("/").text
    failed(connection)
    assert "2 jobs have failed for good" in browser.open("/dead-letters").text
