"""What somebody sends who means harm, or whose client is broken: addresses, bodies, and stand-ins for values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from shared.columns import OMITTED, REDACTED
from shared.database import Connection
from tests.integration.jobs_api.browser import OWN_FORM, Browser
from tests.integration.jobs_api.client import Client
from tests.integration.jobs_api.conftest import Keys
from tests.integration.jobs_api.rows import everything, failed

MATCH = {"type": "crm-match", "payload": {"listingId": 1, "agentId": 1}}


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
    shown = Jsonb({"text": letter * 8_000, "nested": nested})
    job_id = failed(connection, errors=Jsonb([error] * 60), payload=shown, result=shown, error=letter * 8_000)
    for answer in (keys.ops.get(f"/v1/jobs/{job_id}"), browser.open(f"/jobs/{job_id}")):
        assert (answer.status, len(answer.text.encode()) < 5_900_000) == (200, True), len(
            answer.text.encode()
        )
        assert answer.text.count("[1, 1") + answer.text.count("[1,1") >= 1
