"""Sends a message to its destination, once, and says what came of it."""

import asyncio
import io
import socket
import time
from contextlib import suppress
from typing import Any, Final
from weakref import WeakSet

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from ..clock import Clock
from ..plans import LARGEST_ANSWER, LONGEST_LINE
from ..records import Attempt, Message
from ..wire.headers import Headers, collect
from .hosts import Hosts
from .lanes import Lanes
from .signing import sign

DEFAULT_REGION = "EU-CENTRAL-1"
_SILENT: Final = ("Accept", "Content-Type")
# A kept connection that the destination has just closed would look like a failed delivery, so it is used again only
# where one delivery follows another closely.
_KEPT_SECONDS = 0.25
_CLOSING_SECONDS = 5.0
_WRITTEN_AT_ONCE = 2**18


class Sender:
    """An HTTP client for deliveries, many at once and so many to each destination. `open` must come before `send`."""

    def __init__(
        self,
        clock: Clock,
        hosts: Hosts | None = None,
        region: str = DEFAULT_REGION,
        largest_answer: int = LARGEST_ANSWER,
    ) -> None:
        self.lanes = Lanes()
        self._clock = clock
        self._hosts = hosts or Hosts()
        self._region = region
        self._largest_answer = largest_answer
        self._session: aiohttp.ClientSession | None = None
        self._sockets: WeakSet[socket.socket] = WeakSet()

    async def open(self) -> None:
        """Get ready to send from the running event loop."""
        self.lanes.reset()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=_KEPT_SECONDS, socket_factory=self._make_socket
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_SILENT,
            timeout=aiohttp.ClientTimeout(total=None),
            max_line_size=LONGEST_LINE,
            max_field_size=LONGEST_LINE,
        )

    async def close(self) -> None:
        """Close every connection, also those whose destination has not read all of what was sent to it."""
        if self._session is None:
            return
        for each in self._sockets:
            _break_off(each)
        await self._session.close()
        self._session = None
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING_SECONDS):
                while any(each.fileno() >= 0 for each in self._sockets):  # noqa: ASYNC110 - nothing tells it
                    await asyncio.sleep(0)

    async def send(self, message: Message, key: str) -> Attempt:
        """Deliver once, signed with `key`; never raises for what the destination does."""
        url = URL(message.url, encoded=True)
        target = self._hosts.locate(url)
        headers = self._headers(message, key)
        if target is not url:
            # As if the public host were there.
            headers["Host"] = [url.host_port_subcomponent or ""]
        began, started = self._clock(), time.perf_counter()
        status, answered, body, error = await self._exchange(message, target, headers)
        return Attempt(status, answered, body, error, headers, began, time.perf_counter() - started)

    def way(self, message: Message) -> str:
        """The host and port where the message goes to."""
        target = self._hosts.locate(URL(message.url, encoded=True))
        return f"{target.raw_host}:{target.port}"

    def _make_socket(self, address: tuple[Any, ...]) -> socket.socket:
        made = socket.socket(*address[:3])
        self._sockets.add(made)
        return made

    async def _exchange(
        self, message: Message, target: URL, headers: Headers
    ) -> tuple[int, Headers, bytes, str | None]:
        try:
            async with asyncio.timeout(message.options.timeout):
                return await self._post(message, target, headers)
        except TimeoutError:
            return 0, {}, b"", f"no response within {message.options.timeout:g} s"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            return 0, {}, b"", f"cannot deliver to {message.url}: {reason}"

    async def _post(
        self, message: Message, target: URL, headers: Headers
    ) -> tuple[int, Headers, bytes, str | None]:
        if self._session is None:
            raise RuntimeError("the sender is closed")
        async with self._session.request(
            message.options.method,
            target,
            headers=CIMultiDict([(name, value) for name, values in headers.items() for value in values]),
            data=_payload(message.body),
            allow_redirects=False,
        ) as response:
            body = await self._read_beginning(response)
            return response.status, collect(response.headers.items()), body, None

    async def _read_beginning(self, response: aiohttp.ClientResponse) -> bytes:
        """The body of an answer, of which there may be more than anybody wants, or no end."""
        body = bytearray()
        while len(body) < self._largest_answer and (part := await response.content.readany()):
            body += part
        return bytes(body[: self._largest_answer])

    def _headers(self, message: Message, key: str) -> Headers:
        # Whoever verifies it tells the time of day.
        signature = sign(key, url=message.url, body=message.body, now=self._clock.unmoved())
        headers = {
            "User-Agent": ["Upstash-QStash"],
            "Accept-Encoding": ["gzip"],
            **message.options.headers,
            "Upstash-Message-Id": [message.id],
            "Upstash-Retried": [str(message.retried)],
            "Upstash-Signature": [signature],
            "Upstash-Caller-Ip": [message.caller_ip],
            "Upstash-Region": [self._region],
        }
        if message.topic is not None:
            headers["Upstash-Topic-Name"] = [message.topic]
        if message.schedule_id is not None:
            headers["Upstash-Schedule-Id"] = [message.schedule_id]
        return headers


def _break_off(connection: socket.socket) -> None:
    # The client's own way to close would wait for the destination, for as long as that takes.
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    # The client writes bytes at once, and would complain about many of them.
    if len(body) > _WRITTEN_AT_ONCE:
        return io.BytesIO(body)
    return body or None
