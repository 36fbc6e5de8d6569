"""The mailbox's server: Resend's API for the SDK, pages for people, JSON for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from infra.local.mailbox import pages
from infra.local.mailbox.mails import Mail, Mails, addresses
from infra.local.mailbox.resend_api import (
    Refusal,
    check_authorization,
    check_email,
    check_idempotency_key,
    stored_email,
)
from infra.local.qstash.listener import Listener, listen

MAX_REQUEST_BYTES = 8 * 2**20
_SECONDS_TO_ANSWER = 2.0  # what is under way at a stop
_REFUSED = ("validation_error", "The request was refused.")
_FAILED = ("application_error", "An unexpected error occurred.")
_RATE_LIMITED = ("rate_limit_exceeded", "Too many requests. You can only make 2 requests per second.")


@dataclass(slots=True)
class _Failures:
    """Refuse this many more requests (to one address, or to any)."""

    left: int
    status: int
    retry_after: float | None
    to: str | None

    def meets(self, recipients: list[str]) -> bool:
        return self.to is None or self.to in recipients


class Mailbox:
    """A stand-in for Resend: set RESEND_API_URL to its `url` and read what was sent on its page.

    mailbox = Mailbox()
    await mailbox.start()
    mailbox.fail_next(2, status=429, retry_after=1)
    await mailbox.wait_for(lambda mail: "ada@example.com" in mail.to)

    It keeps the last thousand mails, in memory only.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 8025) -> None:
        self._host, self._port = host, port
        self._mails = Mails()
        self._failures: list[_Failures] = []
        self._arrival = asyncio.Condition()
        self._listener: Listener | None = None

    @property
    def url(self) -> str:
        """Where it listens; with port 0 the real port is known after `start`."""
        return f"http://{self._host}:{self._port}"

    @property
    def mails(self) -> list[Mail]:
        """The mails it holds, oldest first: at most a thousand."""
        return list(self._mails)

    async def start(self) -> None:
        """Listen. Raises OSError if the port is taken."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=_SECONDS_TO_ANSWER)
        self._listener = await listen(runner, self._host, self._port)
        self._port = self._listener.port

    async def stop(self) -> None:
        """Stop listening; the mails stay readable here."""
        if self._listener:
            await self._listener.close()
            self._listener = None

    def fail_next(
        self, count: int, *, status: int = 503, retry_after: float | None = None, to: str | None = None
    ) -> None:
        """Answer the next `count` mails (to an address, if given) with `status`, Retry-After in seconds."""
        if count > 0:
            self._failures.append(_Failures(count, status, retry_after, to))

    async def wait_for(
        self,
        wanted: int | Callable[[Mail], bool],
        *,
        timeout: float = 5.0,  # noqa: ASYNC109  # a test's patience
    ) -> list[Mail]:
        """The mails, once there are so many, or those that `wanted` accepts, once there is one.

        Raises TimeoutError after `timeout` seconds.
        """
        async with self._arrival, asyncio.timeout(timeout):
            while (found := self._found(wanted)) is None:
                await self._arrival.wait()
            return found

    def _found(self, wanted: int | Callable[[Mail], bool]) -> list[Mail] | None:
        if callable(wanted):
            return [mail for mail in self._mails if wanted(mail)] or None
        return self.mails if len(self._mails) >= wanted else None

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=MAX_REQUEST_BYTES, middlewares=[_in_resends_words])
        application.add_routes(
            [
                web.post("/emails", self._accept),
                web.get("/emails/{id}", self._retrieve),
                web.get("/", self._list_page),
                web.get("/style.css", self._style_sheet),
                web.get("/mails/{id}", self._mail_page),
                web.get("/mails/{id}/html", self._mail_html),
                web.get("/mails/{id}/text", self._mail_text),
                web.get("/api/mails", self._mails_as_json),
            ]
        )
        return application

    async def _accept(self, request: web.Request) -> web.Response:
        check_authorization(request.headers.get("Authorization", ""))
        key = request.headers.get("Idempotency-Key")
        check_idempotency_key(key)
        email = check_email(await _json(request))
        self._fail_if_told_to(email)
        first = self._mails.sent_with(key)
        if first and first.request != email:
            raise Refusal(
                409,
                "invalid_idempotent_request",
                "Same idempotency key used with a different request payload.",
            )
        mail = first or self._mails.add(email, key)
        async with self._arrival:
            self._arrival.notify_all()
        return web.json_response({"id": mail.id})

    def _fail_if_told_to(self, email: dict[str, Any]) -> None:
        recipients = addresses(email["to"])
        failure = next((each for each in self._failures if each.meets(recipients)), None)
        if failure is None:
            return
        failure.left -= 1
        self._failures = [each for each in self._failures if each.left > 0]
        name, message = _words_for(failure.status)
        raise Refusal(failure.status, name, message, failure.retry_after)

    async def _retrieve(self, request: web.Request) -> web.Response:
        check_authorization(request.headers.get("Authorization", ""))
        mail = self._find(request)
        return web.json_response(stored_email(mail.id, mail.request, mail.at.isoformat()))

    async def _mails_as_json(self, _: web.Request) -> web.Response:
        return web.json_response([mail.to_json() for mail in reversed(self.mails)])

    async def _list_page(self, _: web.Request) -> web.Response:
        return pages.list_page(self.mails[::-1])

    async def _style_sheet(self, _: web.Request) -> web.Response:
        return pages.style_sheet()

    async def _mail_page(self, request: web.Request) -> web.Response:
        return pages.mail_page(self._find(request), view=request.query.get("view", "html"))

    async def _mail_html(self, request: web.Request) -> web.Response:
        return pages.mail_html(self._find(request))

    async def _mail_text(self, request: web.Request) -> web.Response:
        return pages.mail_text(self._find(request))

    def _find(self, request: web.Request) -> Mail:
        mail = self._mails.get(request.match_info["id"])
        if mail is None:
            raise Refusal(404, "not_found", "Email not found")
        return mail


def _words_for(status: int) -> tuple[str, str]:
    if status == 429:
        return _RATE_LIMITED
    return _REFUSED if status < 500 else _FAILED


async def _json(request: web.Request) -> object:
    try:
        return json.loads(await request.read())
    except ValueError:
        raise Refusal(400, "validation_error", "The request body is not valid JSON.") from None


@web.middleware
async def _in_resends_words(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return web.json_response(refusal.to_json(), status=refusal.status, headers=refusal.headers)
