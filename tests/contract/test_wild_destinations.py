"""Destinations that answer what nobody should."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from tests.contract.conftest import Build
from tests.contract.world import World

LARGEST = 10 * 2**20

_Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def _answering(answer: _Answer) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def _says(text: bytes) -> _Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()

    return answer


async def _endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"y" * 2**16 + b"\r\n")
        await writer.drain()


async def _last_event(world: World, answer: _Answer) -> dict[str, Any]:
    async with _answering(answer) as url:
        message_id = await world.publish(url=url, retries=0)
        await world.idle()
    return (await world.events(message_id))[-1]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "Server disconnected"),
        (b"\x00\xffnonsense\r\n\r\n", "Bad status line"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", "payload is not completed"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", "Can not decode"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"z" * 2**21, "Got more than"),
    ],
)
async def test_nonsense_is_a_failure(world: World, answer: bytes, error: str) -> None:
    event = await _last_event(world, _says(answer))
    assert event["state"] == "FAILED"
    assert error in event["error"]


async def test_large_headers_are_taken(world: World) -> None:
    event = await _last_event(
        world, _says(b"HTTP/1.1 200 OK\r\nX: " + b"z" * 2**16 + b"\r\nContent-Length: 0\r\n\r\n")
    )
    assert event["state"] == "DELIVERED"
    assert event["responseHeader"]["X"] == ["z" * 2**16]


@pytest.mark.parametrize(
    "answer",
    [
        _endless,
        _says(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
            + gzip.compress(b"y" * 4 * LARGEST)
        ),
    ],
    ids=["endless", "a bomb"],
)
async def test_of_an_answer_without_end_only_the_beginning_is_read(world: World, answer: _Answer) -> None:
    event = await _last_event(world, answer)
    assert (event["state"], event["responseStatus"]) == ("DELIVERED", 200)
    assert event["responseBody"] == "y" * LARGEST


async def test_a_plan_says_how_much_is_kept(build_world: Build) -> None:
    from infra.local.qstash.plans import PLANS

    world = await build_world(plan=PLANS["free"])
    event = await _last_event(world, _endless)
    assert event["responseBody"] == "y" * 2**20
