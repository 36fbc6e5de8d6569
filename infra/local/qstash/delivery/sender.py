"""Sends a message to its destination, once, and says what came of it."""

import asyncio
import io
from collections.abc import Callable

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from infra.local.qstash.delivery.signing import sign
from infra.local.qstash.records import Attempt, Message
from infra.local.qstash.wire.headers import collect

REGION = "EU-CENTRAL-1"
MOST_OPEN_DELIVERIES = 200
_SILENT = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Sender:
    """An HTTP client for deliveries, at most 200 at once. `open` must come before `send`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._room = asyncio.Semaphore(MOST_OPEN_DELIVERIES)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Get ready to send from the running event loop."""
        self._room = asyncio.Semaphore(MOST_OPEN_DELIVERIES)
        # A kept connection that the destination has just closed would look like a failed delivery.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_SILENT,
            timeout=aiohttp.ClientTimeout(total=None),
        )

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, message: Message, key: str) -> Attempt:
        """Deliver once, signed with `key`; never raises for what the destination does."""
        async with self._room:
            try:
                async with asyncio.timeout(message.options.timeout):
                    return await self._post(message, key)
            except TimeoutError:
                return Attempt(0, error=f"no response within {message.options.timeout:g} s")
            except (aiohttp.ClientError, OSError, ValueError) as error:
                return Attempt(
                    0, error=f"cannot deliver to {message.url}: {str(error) or type(error).__name__}"
                )

    async def _post(self, message: Message, key: str) -> Attempt:
        if self._session is None:
            raise RuntimeError("the sender is closed")
        async with self._session.request(
            message.options.method,
            URL(message.url, encoded=True),
            headers=self._headers(message, key),
            data=io.BytesIO(message.body) if message.body else None,
            allow_redirects=False,
        ) as response:
            return Attempt(response.status, collect(response.headers.items()), await response.read())

    def _headers(self, message: Message, key: str) -> CIMultiDict[str]:
        headers = CIMultiDict({"User-Agent": "Upstash-QStash", "Accept-Encoding": "gzip"})
        for name, values in message.options.headers.items():
            headers.popall(name, None)
            headers.extend((name, value) for value in values)
        headers.update(
            {
                "Upstash-Message-Id": message.id,
                "Upstash-Retried": str(message.retried),
                "Upstash-Signature": sign(key, url=message.url, body=message.body, now=self._clock()),
                "Upstash-Caller-Ip": message.caller_ip,
                "Upstash-Region": REGION,
            }
        )
        if message.schedule_id is not None:
            headers["Upstash-Schedule-Id"] = message.schedule_id
        return headers
