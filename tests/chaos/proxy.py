"""A TCP proxy that can let connections die without a word, as a NAT gateway or a lost host does."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class _Link:
    """One client's connection and ours to the server. Dead: bytes vanish, and neither side hears of the other."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.dead = False
        self.patience: float | None = None

    def swallow(self) -> None:
        """What was sent is never acknowledged: a kernel gives up on that after `tcp_user_timeout`."""
        if self.patience is not None:
            asyncio.get_running_loop().call_later(self.patience, self.client.transport.abort)
            self.patience = None


class Proxy:
    """Passes bytes between clients and a port on this machine, on the event loop it is started in."""

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._server: asyncio.Server | None = None
        self._links: dict[asyncio.Task[None], _Link] = {}

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def stop(self) -> None:
        """Close all."""
        assert self._server is not None
        self._server.close()
        tasks = list(self._links)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def sever(self, patience: float | None) -> int:
        """Let every connection there is go dead; how many. New ones work.

        A client that sends on a dead one is told after `patience` seconds, as its kernel would; never with None, as
        behind a middlebox that goes on acknowledging.
        """
        living = [link for link in self._links.values() if not link.dead]
        for link in living:
            link.dead, link.patience = True, patience
        return len(living)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        link = self._links[task] = _Link(writer)
        try:
            await self._pass_on(reader, link)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            del self._links[task]

    async def _pass_on(self, reader: asyncio.StreamReader, link: _Link) -> None:
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        answers = asyncio.create_task(self._pump_back(upstream_reader, link))
        try:
            await _pump(reader, upstream, link)
        finally:
            answers.cancel()
            with suppress(asyncio.CancelledError):
                await answers
            upstream.transport.abort()

    async def _pump_back(self, upstream: asyncio.StreamReader, link: _Link) -> None:
        await _pump(upstream, link.client, link)
        if not link.dead:
            link.client.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: _Link) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            if link.dead:
                link.swallow()
                continue
            sink.write(data)
            await sink.drain()
