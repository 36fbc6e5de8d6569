"""Everything that leaves a process, kept to be searched: HTTP to and from QStash, log lines, rows.

QStash is the local server, behind a proxy that keeps each request and answer. Deliveries arrive at an HTTP server of the
test's and run in its main thread, as on Lambda.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import queue
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from infra.local.background import Background
from infra.local.qstash import QStashServer
from shared.database import Connection

Handler = Callable[[Mapping[str, Any]], Mapping[str, Any]]
LARGEST = 64 * 1024 * 1024


@dataclass
class Watched:
    """What was said, by where it was heard; `routes` are the functions by their path."""

    qstash: QStashServer
    background: Background
    heard: dict[str, list[bytes]] = field(default_factory=dict)
    routes: dict[str, Handler] = field(default_factory=dict)
    url: str = ""

    def __post_init__(self) -> None:
        self._arrived: queue.Queue[tuple[web.Request, bytes, Future[web.Response]]] = queue.Queue()
        self.background.call(self._start())

    def stop(self) -> None:
        self.background.call(self._stop())

    def deliver(self, count: int = 1, patience: float = 20) -> list[int]:
        """Run the next deliveries in this thread; the statuses they were answered with."""
        return [self._deliver(patience) for _each in range(count)]

    def hears(self, secret: str, where: str) -> bool:
        return any(form in said for said in self.heard.get(where, []) for form in forms(secret))

    # --- the two servers ------------------------------------------------------------------------------------

    async def _start(self) -> None:
        self._client = aiohttp.ClientSession(auto_decompress=False)
        self._runners = []
        for handle in (self._pass_on, self._take):
            app = web.Application(client_max_size=LARGEST)
            app.router.add_route("*", "/{path:.*}", handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self._runners.append(runner)
        self.proxy, self.url = (f"http://127.0.0.1:{each.addresses[0][1]}" for each in self._runners)

    async def _stop(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        await self._client.close()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        self._keep("to QStash", request.raw_path, request.headers, body)
        url = f"{self.qstash.url}{request.raw_path}"
        asked = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        async with self._client.request(request.method, url, headers=asked, data=body) as answer:
            said = await answer.read()
            self._keep("from QStash", request.raw_path, answer.headers, said)
            return web.Response(status=answer.status, body=said, content_type=answer.content_type)

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self._keep(f"at {request.path}", request.raw_path, request.headers, body)
        if request.path not in self.routes:
            return web.Response()
        answer: Future[web.Response] = Future()
        self._arrived.put((request, body, answer))
        return await asyncio.wrap_future(answer)

    def _deliver(self, patience: float) -> int:
        request, body, answer = self._arrived.get(timeout=patience)
        event = {
            "version": "2.0",
            "rawPath": request.path,
            "rawQueryString": "",
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "requestContext": {"domainName": "unused", "http": {"method": request.method}},
            "body": base64.b64encode(body).decode(),
            "isBase64Encoded": True,
        }
        answered = self.routes[request.path](event)
        self._keep("answered", request.path, answered["headers"], answered["body"].encode())
        answer.set_result(
            web.Response(
                status=answered["statusCode"], text=answered["body"], headers=dict(answered["headers"])
            )
        )
        return int(answered["statusCode"])

    def _keep(self, where: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        said = "\n".join([path, *(f"{name}: {value}" for name, value in headers.items())]).encode()
        self.heard.setdefault(where, []).append(said + b"\n\n" + body)


class Lines(logging.Handler):
    """Every log line of every logger, with all that hangs on it."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {record.__dict__!r}")


def forms(secret: str) -> list[bytes]:
    """The secret as it is, and as it may stand in base64."""
    encoded = [base64.b64encode(b"x" * shift + secret.encode() + b"xxx")[4:-8] for shift in range(3)]
    return [secret.encode(), *encoded]


def tables_with(connection: Connection, secret: str) -> set[str]:
    """The tables that have the secret somewhere in a row."""
    names = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    ).fetchall()
    found = set()
    for name in (row["table_name"] for row in names):
        for form in forms(secret):
            query = f"SELECT count(*) AS rows FROM {name} WHERE strpos({name}::text, %s) > 0".encode()
            row = connection.execute(query, [form.decode()]).fetchone()
            if row is not None and row["rows"]:
                found.add(name)
    return found
