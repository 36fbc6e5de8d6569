"""What is signed and still cannot be an event, and what never gets so far: 4xx, and nothing written."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from functions.receive_webhook.incoming import LARGEST_BODY, LARGEST_HEADERS
from functions.receive_webhook.json_body import DEEPEST
from infra.webhooks import (
    Request,
    custom_events,
    github_events,
    local_senders,
    resend_events,
    stripe_events,
)
from tests.integration.webhooks.stage import Stage

MALFORMED = {
    "nothing": b"",
    "half": b'{"id": "evt_1", "type": "invo',
    "words": b"hello",
    "an array": b"[]",
    "a text": b'"evt_1"',
    "null": b"null",
    "two objects": b"{}{}",
    "a byte order mark": b'\xef\xbb\xbf{"id": "evt_1"}',
    "NaN": b'{"id": "evt_1", "type": "invoice.paid", "n": NaN}',
    "minus infinity": b'{"id": "evt_1", "type": "invoice.paid", "n": -Infinity}',
    "a number too large": b'{"id": "evt_1", "type": "invoice.paid", "n": 1e400}',
    "five thousand digits": b'{"id": "evt_1", "type": "x.y", "n": ' + b"9" * 5000 + b"}",
    "NUL": b'{"id": "evt_1", "type": "x.y", "n": "a\\u0000b"}',
    "NUL as a name": b'{"id": "evt_1", "type": "x.y", "\\u0000": 1}',
    "NUL in the type": b'{"id": "evt_1", "type": "x\\u0000"}',
    "half a surrogate pair": b'{"id": "evt_1", "type": "x.y", "n": "\\ud83d"}',
    "half a pair as a name": b'{"id": "evt_1", "type": "x.y", "\\ude00": 1}',
    "a control character": b'{"id": "evt_1", "type": "x.y", "n": "\x01"}',
    "too deep": b'{"id": "evt_1", "type": "x.y", "n": ' + b"[" * DEEPEST + b"]" * DEEPEST + b"}",
    "a hundred thousand levels": b'{"a":' * 100_000,
}  # fmt: skip
TOO_SMALL_TO_STORE = (
    b'{"id": "evt_tiny", "type": "x.y", "n": 1e-20000}'  # that Python takes, and Postgres does not
)


def assert_refused(stage: Stage, request: Request, status: int, words: str = "", **options: Any) -> None:
    before = stage.written()
    answer = stage.send(request, **options)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert stage.written() == before


@pytest.mark.parametrize("body", [*MALFORMED.values(), TOO_SMALL_TO_STORE], ids=[*MALFORMED, "too small"])
def test_what_is_no_json_that_can_be_kept(stage: Stage, body: bytes) -> None:
    for request in (
        local_senders.stripe(body),
        local_senders.resend(body),
        local_senders.github("push", body),
        local_senders.accounting(body),
        local_senders.scanner(body),
    ):
        assert_refused(stage, request, 400)


def test_as_deep_as_it_may_be(stage: Stage) -> None:
    nested: Any = 1
    for _level in range(DEEPEST - 1):
        nested = [nested]
    event = custom_events.document_scanned(nested=nested)
    assert stage.send(local_senders.scanner(json.dumps(event).encode())).status_code == 200
    assert stage.events(event["scan_id"])[0]["payload"] == event


def test_of_a_name_given_twice_the_last_counts_everywhere(stage: Stage) -> None:
    body = b'{"scan_id": "twice-a", "pages": 1, "pages": 2, "scan_id": "twice-b"}'
    assert stage.send(local_senders.scanner(body)).status_code == 200
    (event,), (job,) = stage.events("twice-b"), stage.jobs("twice-b")
    assert event["payload"] == job["payload"]["data"] == {"scan_id": "twice-b", "pages": 2}


def test_numbers_stay_what_they_are(stage: Stage) -> None:
    body = b'{"scan_id": "numbers", "big": 123456789012345678901234567890, "half": 0.5, "whole": 1.0, "huge": 1e300}'
    assert stage.send(local_senders.scanner(body)).status_code == 200
    row = stage.events("numbers")[0]["payload"]
    assert (row["big"], row["half"], row["huge"]) == (123456789012345678901234567890, 0.5, 10**300)
    assert stage.jobs("numbers")[0]["payload"]["data"]["big"] == row["big"]


@pytest.mark.parametrize("body", [b"\xff\xfe", b'{"scan_id": "\xe9"}', b'{"scan_id": "\xed\xa0\x80"}'])
def test_what_is_no_utf8(stage: Stage, body: bytes) -> None:
    assert_refused(stage, local_senders.scanner(body), 400, "UTF-8")
    assert_refused(stage, local_senders.github("push", body), 400, "UTF-8")
    for request in (local_senders.stripe(body), local_senders.resend(body)):
        assert_refused(stage, request, 401)  # their libraries verify text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": 7}, "id"),
        ({"id": "evt 1\n"}, "id"),
        ({"id": "e" * 201}, "id"),
        ({"type": None}, "type"),
        ({"type": ["invoice.paid"]}, "type"),
        ({"type": "t" * 256}, "type"),
        ({"type": "señal"}, "type"),
        ({"created": None}, "created"),
        ({"created": "1788000000"}, "created"),
        ({"created": -1}, "created"),
        ({"created": 2**40}, "created"),
        ({"created": True}, "created"),
        ({"data": None}, "eventData"),
        ({"data": []}, "eventData"),
        ({"data": {"object": "in_1"}}, "eventData"),
    ],
)
def test_what_stripe_never_sends(stage: Stage, changes: dict[str, Any], words: str) -> None:
    event = stripe_events.event("invoice.paid") | changes
    answer = stage.send(local_senders.stripe(event))
    assert answer.status_code == 400
    assert words.lower() in answer.json()["error"].lower().replace("_", "")


@pytest.mark.parametrize("created", [None, "soon", -1, 2**70, True, "0001-01-01T00:00:00+14:00", [], 1.5])
def test_an_event_that_nothing_handles_may_say_any_time(stage: Stage, created: Any) -> None:
    event = stripe_events.event("customer.created") | {"created": created}
    assert stage.send(local_senders.stripe(event)).status_code == 200
    assert stage.events(event["id"])[0]["occurred_at"] is None


@pytest.mark.parametrize(
    "headers",
    [{"x_github_event": None}, {"x_github_delivery": None}, {"x_github_event": ""}, {"x_github_delivery": "d" * 201}],
)  # fmt: skip
def test_github_names_its_events_in_headers(stage: Stage, headers: dict[str, Any]) -> None:
    request = local_senders.github("push", github_events.event())
    assert_refused(stage, request, 400, "x-github-", **headers)


@pytest.mark.parametrize(
    "body",
    [b"", b"payload", b"payload=", b"other=1", b"payload=%ff", b"payload=%7B", b"&".join([b"a=1"] * 500)],
)
def test_a_form_that_holds_no_event(stage: Stage, body: bytes) -> None:
    request = local_senders.github("push", body)
    assert_refused(stage, request, 400, content_type="application/x-www-form-urlencoded")


def test_an_event_without_a_type(stage: Stage) -> None:
    assert_refused(stage, local_senders.resend({"data": {}}), 400, "type")
    assert_refused(stage, local_senders.accounting({}), 400, "type")
    assert_refused(stage, local_senders.scanner(b"{}"), 400, "scan_id")


# --- before any signature -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/", "/stripe/", "/Stripe", "/custom", "/custom/", "/custom/a/b", "//stripe", "/github.php", "/.env"],
)
def test_unknown_paths(stage: Stage, path: str) -> None:
    assert_refused(stage, Request(path, b"{}", {"content-type": "application/json"}), 404)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/stripe", "/resend", "/github", "/custom/accounting", "/custom/nobody"])
def test_events_are_posted(stage: Stage, path: str, method: str) -> None:
    answer = stage.send(Request(path, b""), method=method)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "",
        "json",
        "application/x-www-form-urlencoded",
    ],
)
def test_content_types(stage: Stage, kind: str) -> None:
    request = local_senders.resend(resend_events.event())
    assert_refused(stage, request, 415, "application/json", content_type=kind)


@pytest.mark.parametrize(
    "kind", ["APPLICATION/JSON", "application/json;charset=utf-8", "application/cloudevents+json"]
)
def test_what_is_json_by_another_spelling(stage: Stage, kind: str) -> None:
    request = local_senders.resend(resend_events.event())
    assert stage.send(request, content_type=kind).status_code == 200


def test_only_github_may_send_forms(stage: Stage) -> None:
    request = local_senders.github("push", github_events.event(), form=True)
    assert stage.send(request).status_code == 200
    assert_refused(stage, replace(request, path="/stripe"), 415)


def test_a_body_of_the_largest_size_and_one_above(stage: Stage) -> None:
    text = "x" * (LARGEST_BODY - len(b'{"scan_id": "largest", "n": ""}'))
    body = json.dumps({"scan_id": "largest", "n": text}).encode()
    assert len(body) == LARGEST_BODY
    assert stage.send(local_senders.scanner(body)).status_code == 200
    assert_refused(stage, local_senders.scanner(body + b" "), 413)
    assert_refused(stage, Request("/custom/nobody", body + b" ", {"content-type": "application/json"}), 413)


def test_headers_beyond_the_limit(stage: Stage) -> None:
    request = local_senders.resend(resend_events.event())
    many = {f"x-filler-{number}": "x" * 1_000 for number in range(LARGEST_HEADERS // 1_000)}
    assert_refused(stage, replace(request, headers=request.headers | many), 431)


@pytest.mark.parametrize("agent", ["", "x" * 5_000, "curl/8 \t é", "'; DROP TABLE app.webhook_events; --"])
def test_any_user_agent_can_be_kept(stage: Stage, agent: str) -> None:
    event = custom_events.document_scanned()
    headers: dict[str, Any] = {"user_agent": agent.encode()}
    assert stage.send(local_senders.scanner(json.dumps(event).encode()), **headers).status_code == 200
    kept = stage.events(event["scan_id"])[0]["user_agent"]
    assert (kept or "") == agent[:512] or "é" in agent
