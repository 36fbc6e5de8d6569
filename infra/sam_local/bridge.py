"""What listens on this machine's loopback, made to listen where containers can reach it: same port, another address."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress


class Bridge:
    """Forwards connections to `address` to the same ports of the loopback, where servers see them as local ones."""

    def __init__(self, address: str, ports: Iterable[int]) -> None:
        self._address, self._ports = address, list(ports)
        self._servers: list[asyncio.Server] = []

    async def start(self) -> None:
        """Listen. Raises OSError if a port is taken at that address."""
        for port in self._ports:
            self._servers.append(await asyncio.start_server(self._forward(port), self._address, port))

    async def stop(self) -> None:
        """Listen no more; connections that are open end with their containers."""
        for server in self._servers:
            server.close()

    def _forward(self, port: int):  # type: ignore[no-untyped-def]  # asyncio's own type of a callback is private
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))

        return connected


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    with suppress(OSError):
        target.close()
