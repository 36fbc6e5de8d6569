"""The other side of the server: a clock, a destination, and ways to ask."""

import asyncio
import http.client
import json
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import jwt
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from qstash import QStash, Receiver

from infra.local.qstash import QStashServer

PATIENCE = 10.0

_Result = TypeVar("_Result")


class Clock:
    """The time of day, which can be set forward."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


@dataclass(frozen=True)
class Delivery:
    """A request as the destination got it."""

    method: str
    path: str
    headers: CIMultiDictProxy[str]
    body: bytes


@dataclass
class Answer:
    """What the destination says; not before `gate` is set, where there is one."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    gate: asyncio.Event | None = None


class Destination:
    """A web server that keeps what it gets and answers what it was told, in order, and then always `otherwise`."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.answers: deque[Answer] = deque()
        self.otherwise = Answer()
        self.open = 0
        self.most_open = 0
        self.watch: Callable[[Delivery], AbstractContextManager[object]] = nullcontext
        self._came = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._receive)
        self._runner = web.AppRunner(app, auto_decompress=False, shutdown_timeout=0.5, max_field_size=2**20)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def received(self, count: int) -> list[Delivery]:
        """The deliveries so far, once there are `count`."""
        async with asyncio.timeout(PATIENCE):
            while len(self.deliveries) < count:
                self._came.clear()
                await self._came.wait()
        return self.deliveries

    def to(self, path: str) -> list[Delivery]:
        return [delivery for delivery in self.deliveries if delivery.path == path]

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = CIMultiDictProxy(CIMultiDict(request.headers))
        delivery = Delivery(request.method, request.raw_path, headers, body)
        self.deliveries.append(delivery)
        self._came.set()
        answer = self.answers.popleft() if self.answers else self.otherwise
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            with self.watch(delivery):
                await asyncio.sleep(0)
                if answer.gate is not None:
                    await answer.gate.wait()
        finally:
            self.open -= 1
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


@dataclass(frozen=True)
class World:
    """A running server, a destination for it, and its clock."""

    server: QStashServer
    destination: Destination
    clock: Clock
    sdk: QStash

    async def ask(self, call: Callable[[QStash], _Result]) -> _Result:
        """What the SDK, which blocks, answers."""
        return await asyncio.to_thread(call, self.sdk)

    async def publish(self, **options: Any) -> str:
        """Publish by the SDK, to the destination unless told otherwise; the message's id."""
        options.setdefault("url", self.destination.url)
        response = await self.ask(lambda sdk: sdk.message.publish(**options))
        assert not isinstance(response, list)
        return response.message_id

    async def http(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        *,
        token: str | None = None,
        **headers: str,
    ) -> tuple[int, Any]:
        """A raw request: nothing escaped, nothing normalised. Underscores in header names stand for dashes."""
        token = self.server.token if token is None else token
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        given = authorization | {name.replace("_", "-"): value for name, value in headers.items()}
        return await asyncio.to_thread(self._http, method, path, body, given)

    def _http(
        self, method: str, path: str, body: bytes | str | None, headers: dict[str, str]
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.server.url.removeprefix("http://"), timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    async def idle(self) -> None:
        await self.server.wait_idle(PATIENCE)

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.server.wake()

    async def events(self, message_id: str) -> list[dict[str, Any]]:
        """The message's log, oldest first."""
        _, answer = await self.http("GET", f"/v2/events?messageId={message_id}")
        return list(reversed(answer["events"]))


def verify(world: World, delivery: Delivery, url: str) -> None:
    """By the SDK's own receiver and by PyJWT; the body must be text for the former."""
    token = delivery.headers["Upstash-Signature"]
    receiver = Receiver(world.server.current_signing_key, world.server.next_signing_key)
    receiver.verify(signature=token, body=delivery.body.decode(), url=url)
    claims = jwt.decode(token, world.server.current_signing_key, algorithms=["HS256"], issuer="Upstash")
    assert claims["sub"] == url
    assert (claims["nbf"], claims["exp"]) == (claims["iat"], claims["iat"] + 300)
    assert claims["jti"].startswith("jwt_")
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
