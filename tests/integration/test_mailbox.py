"""The real Resend SDK against the mailbox, through `shared.emails.sending`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import resend

from infra.local.mailbox import Mailbox
from infra.local.mailbox.mails import Mails
from shared import secrets
from shared.emails import WelcomeData, send_welcome, sending
from shared.emails.sending import EmailDeferred, EmailRefused, SentEmail
from shared.jobs.send_email import SendEmail
from tests.sample_emails import TEMPLATES, wire


@pytest.fixture
async def mailbox(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Mailbox]:
    mailbox = Mailbox(port=0)
    await mailbox.start()
    monkeypatch.setenv("MAIL_FROM", "Acme <hello@example.com>")
    monkeypatch.setenv("APP_URL", "https://example.com")
    monkeypatch.setenv("RESEND_API_KEY", "re_test")
    monkeypatch.setenv("RESEND_API_URL", mailbox.url)
    yield mailbox
    await mailbox.stop()


async def send(template: str = "welcome", *, key: str | None = None, **changes: Any) -> SentEmail:
    email = SendEmail(**wire(template, **changes))
    return await asyncio.to_thread(sending.send, email, idempotency_key=key or str(uuid4()))


@pytest.mark.parametrize("template", TEMPLATES)
async def test_a_mail_arrives(mailbox: Mailbox, template: str) -> None:
    sent = await send(template, key="k-1")

    (mail,) = await mailbox.wait_for(1)
    assert (mail.id, mail.to, mail.sender) == (sent.id, ["ada@example.com"], "Acme <hello@example.com>")
    assert (mail.tags, mail.idempotency_key) == ({"template": template}, "k-1")
    assert mail.html.startswith("<!DOCTYPE html>")
    assert mail.subject
    assert mail.text


async def test_the_reply_address_arrives(mailbox: Mailbox) -> None:
    await asyncio.to_thread(
        send_welcome, "ada@example.com", WelcomeData(name="Ada"), reply_to="help@example.com"
    )

    assert mailbox.mails[0].reply_to == ["help@example.com"]


async def test_the_same_key_sends_once(mailbox: Mailbox) -> None:
    assert await send(key="k-1") == await send(key="k-1")
    assert len(mailbox.mails) == 1


async def test_the_same_key_for_another_mail_is_refused(mailbox: Mailbox) -> None:
    await send(key="k-1")

    with pytest.raises(EmailRefused, match="invalid_idempotent_request"):
        await send(key="k-1", name="Grace")


async def test_another_run_has_another_key(mailbox: Mailbox) -> None:
    await send(key="k-1")
    await send(key="k-1-2", name="Grace")

    assert len(mailbox.mails) == 2


@pytest.mark.parametrize("status", [400, 403, 404, 422])
async def test_4xx_is_refused_in_resends_words(mailbox: Mailbox, status: int) -> None:
    mailbox.fail_next(1, status=status)

    with pytest.raises(EmailRefused, match="The request was refused"):
        await send()


async def test_a_sender_that_resend_does_not_take(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_FROM", "nobody")

    with pytest.raises(EmailRefused, match="Invalid `from` field") as error:
        await send()
    assert error.value.name == "invalid_from_address"


async def test_429_is_deferred_as_long_as_resend_says(mailbox: Mailbox) -> None:
    mailbox.fail_next(1, status=429, retry_after=7)

    with pytest.raises(EmailDeferred, match="rate_limit_exceeded") as error:
        await send()
    assert error.value.retry_after == 7
    await send()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_deferred_without_a_time(mailbox: Mailbox, status: int) -> None:
    mailbox.fail_next(1, status=status)

    with pytest.raises(EmailDeferred) as error:
        await send()
    assert error.value.retry_after is None


async def test_refused_connections_are_deferred(mailbox: Mailbox) -> None:
    await mailbox.stop()

    with pytest.raises(EmailDeferred, match="HttpClientError"):
        await send()


@pytest.mark.parametrize(
    ("code", "name", "expected"),
    [
        (409, "concurrent_idempotent_requests", EmailDeferred),
        (409, "invalid_idempotent_request", EmailRefused),
        (403, "application_error", EmailDeferred),  # a proxy's page, not Resend's answer
        ("500", "HttpClientError", EmailDeferred),
        ("422", "missing_required_field", EmailRefused),
    ],
)
async def test_told_apart(
    mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, code: str | int, name: str, expected: type[Exception]
) -> None:
    def fail(*_: Any) -> None:
        raise resend.exceptions.ResendError(code, name, "no", "")

    monkeypatch.setattr(resend.Emails, "send", fail)

    with pytest.raises(expected):
        await send()


async def test_retry_after_may_be_a_date(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_until(when: str) -> Callable[..., None]:
        def fail(*_: Any) -> None:
            raise resend.exceptions.ResendError(429, "rate_limit_exceeded", "no", "", {"retry-after": when})

        return fail

    async def told(when: str) -> float | None:
        monkeypatch.setattr(resend.Emails, "send", fail_until(when))
        with pytest.raises(EmailDeferred) as error:
            await send()
        return error.value.retry_after

    now = datetime.now(UTC)
    assert 50 < (await told(format_datetime(now + timedelta(seconds=60), usegmt=True)) or 0) <= 60
    assert await told(format_datetime(now - timedelta(hours=1), usegmt=True)) == 0
    assert await told("soon") is None


async def test_a_rotated_key_is_read_anew(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = ["re_old"]

    def rotate() -> bool:
        keys[:] = ["re_new"]
        return True

    def answer(*_: Any) -> dict[str, str]:
        if resend.api_key == "re_old":
            raise resend.exceptions.ResendError(403, "invalid_api_key", "API key is invalid", "")
        return {"id": "1"}

    monkeypatch.setattr(sending, "secret", lambda _: keys[0])
    monkeypatch.setattr(sending, "refresh", rotate)
    monkeypatch.setattr(resend.Emails, "send", answer)

    assert await send() == SentEmail("1")


async def test_a_key_that_stays_wrong_is_refused(mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_: Any) -> None:
        raise resend.exceptions.ResendError(403, "invalid_api_key", "API key is invalid", "")

    monkeypatch.setattr(resend.Emails, "send", answer)
    monkeypatch.setattr(secrets, "_cache", {})

    with pytest.raises(EmailRefused, match="API key is invalid"):
        await send()


async def test_a_taken_port_is_an_error(mailbox: Mailbox) -> None:
    port = int(mailbox.url.rpartition(":")[2])

    with pytest.raises(OSError, match="address already in use"):
        await Mailbox(port=port).start()


async def test_failures_may_be_for_one_address(mailbox: Mailbox) -> None:
    mailbox.fail_next(1, to="grace@example.com")

    await send()
    with pytest.raises(EmailDeferred):
        await asyncio.to_thread(send_welcome, "grace@example.com", WelcomeData(name="Grace"))
    await asyncio.to_thread(send_welcome, "grace@example.com", WelcomeData(name="Grace"))
    (mail,) = await mailbox.wait_for(lambda mail: mail.to == ["grace@example.com"])
    assert mail.id == mailbox.mails[-1].id


async def test_waiting_has_an_end(mailbox: Mailbox) -> None:
    with pytest.raises(TimeoutError):
        await mailbox.wait_for(1, timeout=0)


async def test_waiting_ends_with_the_mail(mailbox: Mailbox) -> None:
    waiting = asyncio.create_task(mailbox.wait_for(lambda mail: "Welcome" in mail.subject))
    await send()

    assert len(await waiting) == 1


def test_memory_is_bounded() -> None:
    email = {"from": "a@example.com", "to": "b@example.com", "subject": "s", "text": "x" * 100}
    few, small = Mails(max_mails=3), Mails(max_bytes=500)
    for number in range(10):
        few.add(email, f"k-{number}")
        small.add(email, None)

    assert len(few) == 3
    assert few.sent_with("k-0") is None
    assert few.sent_with("k-9") is not None
    assert sum(mail.size for mail in small) <= 500


class TestPages:
    """What a person's browser gets."""

    @pytest.fixture
    async def browser(self, mailbox: Mailbox) -> AsyncIterator[aiohttp.ClientSession]:
        async with aiohttp.ClientSession(mailbox.url) as session:
            yield session

    async def test_the_list(self, mailbox: Mailbox, browser: aiohttp.ClientSession) -> None:
        assert "No mail yet" in await (await browser.get("/")).text()
        await send("welcome")
        await send("teamInvitation", teamName="<b>Bold</b>")
        page = await (await browser.get("/")).text()

        assert page.index("&lt;b&gt;Bold&lt;/b&gt;") < page.index("Welcome to")
        assert "<b>" not in page
        assert "2 mails" in page

    @pytest.mark.parametrize("view", ["", "?view=phone", "?view=text", "?view=<x>"])
    async def test_a_mail(self, mailbox: Mailbox, browser: aiohttp.ClientSession, view: str) -> None:
        sent = await send()
        answer = await browser.get(f"/mails/{sent.id}{view}")
        page = await answer.text()

        assert "Welcome to Posthaste" in page
        assert ("<iframe" in page) == (view != "?view=text")
        assert "script-src 'nonce-" in answer.headers["Content-Security-Policy"]

    async def test_a_mail_can_run_nothing(self, mailbox: Mailbox, browser: aiohttp.ClientSession) -> None:
        sent = await send()
        answer = await browser.get(f"/mails/{sent.id}/html")

        assert await answer.text() == mailbox.mails[0].html
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert policy.startswith("sandbox ")
        assert "allow-scripts" not in policy
        assert (
            'sandbox="allow-popups allow-popups-to-escape-sandbox"'
            in await (await browser.get(f"/mails/{sent.id}")).text()
        )

    async def test_a_mails_text(self, mailbox: Mailbox, browser: aiohttp.ClientSession) -> None:
        sent = await send()
        answer = await browser.get(f"/mails/{sent.id}/text")

        assert answer.content_type == "text/plain"
        assert await answer.text() == mailbox.mails[0].text

    async def test_as_json(self, mailbox: Mailbox, browser: aiohttp.ClientSession) -> None:
        first, second = await send(), await send()
        mails = await (await browser.get("/api/mails")).json()

        assert [mail["id"] for mail in mails] == [second.id, first.id]
        assert mails[0]["to"] == ["ada@example.com"]

    async def test_as_the_sdk_reads_it(self, mailbox: Mailbox) -> None:
        sent = await send()
        email = await asyncio.to_thread(resend.Emails.get, sent.id)

        assert email["to"] == ["ada@example.com"]
        assert email["subject"] == "Welcome to Posthaste"

    async def test_what_is_not_there(self, mailbox: Mailbox, browser: aiohttp.ClientSession) -> None:
        answer = await browser.get("/mails/nothing")

        assert answer.status == 404
        assert (await answer.json())["name"] == "not_found"

    async def test_no_external_assets(self, mailbox: Mailbox, browser: aiohttp.ClientSession) -> None:
        await send()
        page = await (await browser.get("/")).text() + await (await browser.get("/style.css")).text()

        assert "https://" not in page


VALID = {"from": "a@example.com", "to": "b@example.com", "subject": "s", "text": "t"}


@pytest.mark.parametrize(
    ("change", "status", "name"),
    [
        ({"from": None}, 422, "missing_required_field"),
        ({"to": None}, 422, "missing_required_field"),
        ({"subject": ""}, 422, "missing_required_field"),
        ({"text": None}, 422, "missing_required_field"),
        ({"to": "nobody"}, 422, "validation_error"),
        ({"to": ["b@example.com", 7]}, 422, "validation_error"),
        ({"to": {"x": 1}}, 422, "validation_error"),
        ({"to": ["b@example.com"] * 51}, 422, "validation_error"),
        ({"from": "Acme <x>"}, 422, "invalid_from_address"),
        ({"reply_to": "x"}, 422, "validation_error"),
        ({"subject": "a\nb"}, 422, "validation_error"),
        ({"html": 7}, 422, "validation_error"),
        ({"tags": [{"name": "a b", "value": "c"}]}, 422, "validation_error"),
        ({"tags": "x"}, 422, "validation_error"),
    ],
)
async def test_refusals_in_resends_shape(
    mailbox: Mailbox, change: dict[str, Any], status: int, name: str
) -> None:
    async with aiohttp.ClientSession(mailbox.url, headers={"Authorization": "Bearer re_x"}) as session:
        answer = await session.post("/emails", json=VALID | change)
        body = await answer.json()

    assert (answer.status, body["statusCode"], body["name"]) == (status, status, name)
    assert body["message"]
    assert not mailbox.mails


@pytest.mark.parametrize(
    ("headers", "body", "status", "name"),
    [
        ({}, "{}", 401, "missing_api_key"),
        ({"Authorization": "Bearer "}, "{}", 401, "missing_api_key"),
        ({"Authorization": "Bearer re_x"}, "{", 400, "validation_error"),
        ({"Authorization": "Bearer re_x"}, "[]", 422, "validation_error"),
        (
            {"Authorization": "Bearer re_x", "Idempotency-Key": "k" * 257},
            "{}",
            400,
            "invalid_idempotency_key",
        ),
    ],
)
async def test_refusals_before_the_mail_is_read(
    mailbox: Mailbox, headers: dict[str, str], body: str, status: int, name: str
) -> None:
    async with aiohttp.ClientSession(mailbox.url) as session:
        answer = await session.post("/emails", data=body, headers=headers)

        assert (answer.status, (await answer.json())["name"]) == (status, name)
