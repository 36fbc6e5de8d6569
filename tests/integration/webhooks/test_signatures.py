"""Each fault a signature can have, at each source: 401 with no detail, the reason in our log, and nothing written."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from infra.webhooks import (
    Request,
    as_github,
    as_resend,
    as_sender,
    as_stripe,
    custom_events,
    github_events,
    local_secrets,
    local_senders,
    resend_events,
    stripe_events,
)
from tests.integration.webhooks.stage import Stage

GUESSED = "whsec_Z3Vlc3NlZC1zZWNyZXQtMTIzNDU2"
LONG_AGO = 6 * 60.0  # seconds: a minute more than is tolerated

Sign = Callable[..., Request]


def stripe(secret: str = local_secrets.STRIPE, **options: Any) -> Request:
    return as_stripe(stripe_events.event("invoice.paid"), secret, **options)


def resend(secret: str = local_secrets.RESEND, **options: Any) -> Request:
    return as_resend(resend_events.event(), secret, **options)


def github(secret: str = local_secrets.GITHUB, **options: Any) -> Request:
    return as_github("push", github_events.event(), secret, **options)


def accounting(secret: str = local_secrets.ACCOUNTING, **options: Any) -> Request:
    return as_sender("accounting", custom_events.invoice_imported(), secret, **options)


def scanner(secret: str = local_secrets.SCANNER) -> Request:
    event = custom_events.document_scanned()
    return local_senders.scanner(event, secret=secret)


SOURCES: dict[str, tuple[Sign, str]] = {
    "stripe": (stripe, "stripe-signature"),
    "resend": (resend, "svix-signature"),
    "github": (github, "x-hub-signature-256"),
    "accounting": (accounting, "webhook-signature"),
    "scanner": (scanner, "x-scanner-signature"),
}
each_source = pytest.mark.parametrize(("sign", "header"), SOURCES.values(), ids=SOURCES)
each_dated_source = pytest.mark.parametrize("sign", [stripe, resend, accounting])


def assert_refused(stage: Stage, request: Request) -> None:
    before, lines = stage.written(), len(stage.lines)
    answer = stage.send(request)
    assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})
    assert stage.written() == before
    logged = [line for line in stage.lines[lines:] if "signature rejected" in line]
    assert len(logged) == 1
    assert '"reason":' in logged[0]


def changed(request: Request, **headers: str) -> Request:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(request, headers=request.headers | names)


@each_source
def test_none(stage: Stage, sign: Sign, header: str) -> None:
    request = sign()
    assert_refused(stage, replace(request, headers={n: v for n, v in request.headers.items() if n != header}))


@each_source
@pytest.mark.parametrize(
    "signature",
    ["", "x", "=", "v1", "v1,", "v1,@@@", "t=,v1=", "t=1", "v1=abc", "t=now,v1=00", "sha256=", "sha1=00",
     "v0=", "v0=é", "t=1,v1=é", "sha256=é", "v1,é", "v1,AAAA v1,AAAA", ",".join(["v1=00"] * 200), "t=" + "9" * 5000,
     "null", "{}"],
)  # fmt: skip
def test_no_signature_at_all(stage: Stage, sign: Sign, header: str, signature: str) -> None:
    request = sign()
    headers: dict[str, Any] = request.headers | {header: signature.encode("utf-8")}
    assert stage.send(replace(request, headers=headers)).status_code == 401


@each_source
def test_made_with_another_key(stage: Stage, sign: Sign, header: str) -> None:
    assert_refused(stage, sign(GUESSED))


@each_source
def test_an_altered_byte_of_the_body(stage: Stage, sign: Sign, header: str) -> None:
    request = sign()
    for place in (0, len(request.body) // 2, len(request.body) - 1):
        altered = bytearray(request.body)
        altered[place] ^= 1
        assert_refused(stage, replace(request, body=bytes(altered)))


@each_source
def test_a_body_that_only_says_the_same(stage: Stage, sign: Sign, header: str) -> None:
    request = sign()
    for body in (request.body + b"\n", b" " + request.body, b""):
        assert_refused(stage, replace(request, body=body))


@each_source
def test_a_body_in_base64_is_not_what_was_signed(stage: Stage, sign: Sign, header: str) -> None:
    request = sign()
    assert_refused(stage, replace(request, body=base64.b64encode(request.body)))


@each_dated_source
def test_an_old_one(stage: Stage, sign: Sign) -> None:
    assert_refused(stage, sign(at=time.time() - LONG_AGO))


@pytest.mark.parametrize("sign", [resend, accounting])
def test_one_of_the_future(stage: Stage, sign: Sign) -> None:
    assert_refused(stage, sign(at=time.time() + LONG_AGO))


def test_an_old_one_that_is_said_to_be_new(stage: Stage) -> None:
    old, now = int(time.time() - LONG_AGO), int(time.time())
    request = stripe(at=old)
    moved = request.headers["stripe-signature"].replace(f"t={old}", f"t={now}")
    assert_refused(stage, changed(request, stripe_signature=moved))
    assert_refused(stage, changed(resend(at=old), svix_timestamp=str(now)))
    assert_refused(stage, changed(accounting(at=old), webhook_timestamp=str(now)))


def test_another_id_than_was_signed(stage: Stage) -> None:
    assert_refused(stage, changed(resend(), svix_id="msg_another"))
    assert_refused(stage, changed(accounting(), webhook_id="msg_another"))


@pytest.mark.parametrize(
    "moment", ["", "soon", "nan", "inf", "1e400", "-1", "9" * 400, "2026-05-01T00:00:00Z"]
)
def test_a_time_that_is_none(stage: Stage, moment: str) -> None:
    assert_refused(stage, changed(resend(), svix_timestamp=moment))
    assert_refused(stage, changed(accounting(), webhook_timestamp=moment))


@pytest.mark.parametrize("sign", [stripe, resend, github, accounting, scanner])
@pytest.mark.parametrize("path", ["/stripe", "/resend", "/github", "/custom/accounting", "/custom/scanner"])
def test_a_signature_is_good_at_its_own_source_only(stage: Stage, sign: Sign, path: str) -> None:
    request = sign()
    expected = 200 if path == request.path else 401
    assert stage.send(replace(request, path=path)).status_code == expected


def test_githubs_old_signature_alone_is_not_enough(stage: Stage) -> None:
    request = github()
    headers = {name: value for name, value in request.headers.items() if name != "x-hub-signature-256"}
    assert_refused(stage, replace(request, headers=headers))


@each_source
def test_without_a_key_nothing_fits_and_the_log_says_what_is_missing(
    stage: Stage, sign: Sign, header: str
) -> None:
    lines = len(stage.lines)
    assert stage.send(sign(), to="without-keys").status_code == 401
    assert any("WEBHOOK" in line and "reason" in line for line in stage.lines[lines:])


@pytest.mark.parametrize("name", ["nobody", "accounting2", "ACCOUNTING", "a%2Fb", "%00", "x" * 300, "stripe"])
def test_a_name_that_nobody_has_is_answered_as_a_wrong_signature(stage: Stage, name: str) -> None:
    wrong = stage.send(accounting(GUESSED))
    unknown = stage.send(replace(accounting(), path=f"/custom/{name}"))
    assert (
        (unknown.status_code, unknown.content) == (wrong.status_code, wrong.content) == (401, wrong.content)
    )
    named = ("content-type", "content-length")
    assert [unknown.headers[each] for each in named] == [wrong.headers[each] for each in named]
    assert unknown.headers.keys() == wrong.headers.keys()
