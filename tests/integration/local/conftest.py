"""A local Lambda with the tests' own functions."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.local.awslambda import Function, LambdaServer

HANDLERS = Path(__file__).parent / "handlers"

StartServer = Callable[..., Awaitable[LambdaServer]]


@pytest.fixture
def log() -> list[str]:
    """Every line that the server logged."""
    return []


@pytest.fixture
async def start_server(log: list[str]) -> AsyncIterator[StartServer]:
    """Start servers that are stopped after the test: `await start_server(*functions, **options)`."""
    servers: list[LambdaServer] = []

    async def start(*functions: Function, **options: Any) -> LambdaServer:
        server = LambdaServer(functions, task_root=HANDLERS, log=log.append, **options)
        servers.append(server)
        await server.start()
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


@pytest.fixture
def pipes(tmp_path: Path) -> list[Path]:
    """Named pipes: a `wait` function that was given one runs until it is written to."""
    paths = [tmp_path / f"pipe{number}" for number in range(3)]
    for path in paths:
        os.mkfifo(path)
    return paths


async def release(pipe: Path) -> None:
    """Let the function that waits for `pipe` go on."""
    await until(lambda: _write(pipe))


def _write(pipe: Path) -> bool:
    try:
        descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # nobody reads yet
        return False
    os.close(descriptor)
    return True


async def until(condition: Callable[[], bool]) -> None:
    """Wait for `condition`, at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - most of what tests wait for is another process's doing
            await asyncio.sleep(0.005)


def is_running(pid: int) -> bool:
    """Whether there is a process `pid`; one that ended but was not waited for yet does not count."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or process_state(pid) != "Z"


def process_state(pid: int) -> str:
    """The process's state letter as Linux shows it; "X" if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "X"
