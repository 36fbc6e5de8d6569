"""A stop leaves no socket behind, whatever the other sides are doing: one that stays open is a warning later, or a leak."""

import asyncio
import gc
import socket
import warnings
from contextlib import ExitStack

import pytest

from infra.local.qstash import QStashServer
from tests.contract.world import PATIENCE

LARGE = b"x" * 8 * 2**20


async def _send(server: QStashServer, head: str, body: bytes = b"") -> socket.socket:
    """A request, of which the answer is not read."""
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    lines = f"{head} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {server.token}\r\nContent-Length: {len(body)}\r\n\r\n"
    await asyncio.to_thread(connection.sendall, lines.encode() + body)
    return connection


async def _publish(server: QStashServer, deaf: socket.socket, count: int = 1) -> None:
    """Large messages to a destination that takes connections and reads nothing."""
    for _ in range(count):
        port = deaf.getsockname()[1]
        publishing = await _send(server, f"POST /v2/publish/http://127.0.0.1:{port}/x", LARGE)
        await asyncio.to_thread(publishing.recv, 100)
        publishing.close()


async def _stop_at(kind: str, deaf: socket.socket, kept: ExitStack) -> None:
    server = QStashServer(port=0)
    await server.start()
    match kind:
        case "a delivery that is not read":
            await _publish(server, deaf, count=5)
            for _ in range(5):
                delivery, _ = await asyncio.to_thread(deaf.accept)
                kept.enter_context(delivery)
        case "an answer that is not read":
            await _publish(server, deaf, count=2)
            asking = kept.enter_context(await _send(server, "GET /v2/events"))
            await asyncio.to_thread(asking.recv, 1)
        case "a request that has just come":
            kept.enter_context(await _send(server, "POST /control/idle"))
        case "a connection without a request":
            host, port = server.url.removeprefix("http://").split(":")
            kept.enter_context(socket.create_connection((host, int(port))))
    async with asyncio.timeout(PATIENCE):
        await server.stop()


@pytest.mark.parametrize(
    "kind",
    [
        "a delivery that is not read",
        "an answer that is not read",
        "a request that has just come",
        "a connection without a request",
    ],
)
def test_a_stop_leaves_no_socket_behind(kind: str) -> None:
    with ExitStack() as kept, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        deaf = kept.enter_context(socket.create_server(("127.0.0.1", 0)))
        asyncio.run(_stop_at(kind, deaf, kept))
        gc.collect()
    assert [str(warning.message) for warning in warned] == []
