"""A stop leaves no socket behind, not even of a connection that comes while it stops: a warning later, or a leak."""

import asyncio
import gc
import socket
import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from infra.local.awslambda import LambdaServer
from infra.local.awslambda.extension import ExtensionServer
from infra.local.mailbox import Mailbox
from infra.local.platforms import ListingPlatforms

SERVERS: dict[str, Callable[[], Any]] = {
    "the function URLs": lambda: LambdaServer([], task_root=Path(__file__).parent),
    "the extension": lambda: ExtensionServer("http://127.0.0.1:1", "us-east-1", "token"),
    "the mailbox": lambda: Mailbox(port=0),
    "the platforms": lambda: ListingPlatforms(port=0),
}


async def _stop_while_somebody_comes(server: Any, turns: int, kept: ExitStack) -> None:
    await server.start()
    port = server._gateway.port if isinstance(server, LambdaServer) else _port(server)
    kept.enter_context(socket.create_connection(("127.0.0.1", port)))
    for _ in range(turns):  # of the event loop, which accepts in one and greets in another
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await server.stop()


def _port(server: Any) -> int:
    return server.port if isinstance(server, ExtensionServer) else int(server.url.rpartition(":")[2])


@pytest.mark.parametrize("name", SERVERS)
def test_a_stop_leaves_no_socket_behind(name: str) -> None:
    with ExitStack() as kept, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        for turns in range(5):
            asyncio.run(_stop_while_somebody_comes(SERVERS[name](), turns, kept))
        gc.collect()
    assert [str(warning.message) for warning in warned if warning.category is ResourceWarning] == []
