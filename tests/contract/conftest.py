"""A running server and destination for each test."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from qstash import QStash

from infra.local.qstash import QStashServer
from tests.contract.world import Clock, Destination, World

Build = Callable[..., Any]


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[World]:
    clock, destination = Clock(), Destination()
    server = QStashServer(port=0, clock=clock, **options)
    await destination.start()
    await server.start()
    sdk = QStash(server.token, base_url=server.url, retry=False)
    try:
        yield World(server, destination, clock, sdk)
    finally:
        sdk.http._client.close()
        await server.stop()
        await destination.stop()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A server that retries at once."""
    async with running(backoff_scale=0.0) as world:
        yield world


@pytest.fixture
async def slow_world() -> AsyncIterator[World]:
    """A server with the real backoff."""
    async with running() as world:
        yield world


@pytest.fixture
async def build_world() -> AsyncIterator[Build]:
    """Starts a server with the given options."""
    async with AsyncExitStack() as stack:

        async def build(**options: Any) -> World:
            return await stack.enter_async_context(running(**options))

        yield build
