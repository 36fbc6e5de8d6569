import asyncio
from typing import Any

import pytest

from tests.contract.conftest import Build
from tests.contract.world import Answer, World


async def waits(world: World, message_id: str) -> list[float]:
    """Seconds from each failed attempt to the retry that was promised."""
    events = await world.events(message_id)
    return [
        (event["nextDeliveryTime"] - event["time"]) / 1000 for event in events if event["state"] == "RETRY"
    ]


async def test_the_real_schedule(slow_world: World) -> None:
    slow_world.destination.otherwise = Answer(500, body=b"broken")
    message_id = await slow_world.publish(retries=5)
    schedule = [12, 148, 1808, 22026, 86_400]
    for retry, wait in enumerate(schedule, start=1):
        await slow_world.destination.received(retry)
        await _until_retry(slow_world, message_id, retry)
        slow_world.advance(wait - 2)
        assert len(slow_world.destination.deliveries) == retry
        slow_world.advance(3)
    await slow_world.idle()
    assert await waits(slow_world, message_id) == pytest.approx(schedule, abs=0.05)
    retried = [delivery.headers["Upstash-Retried"] for delivery in slow_world.destination.deliveries]
    assert retried == ["0", "1", "2", "3", "4", "5"]
    assert {delivery.headers["Upstash-Message-Id"] for delivery in slow_world.destination.deliveries} == {
        message_id
    }


async def _until_retry(world: World, message_id: str, retry: int) -> None:
    async with asyncio.timeout(5):
        while len(await waits(world, message_id)) < retry:
            pass


async def test_three_retries_by_default_and_then_the_dead_letters(world: World) -> None:
    world.destination.otherwise = Answer(503)
    message_id = await world.publish()
    await world.idle()
    states = [event["state"] for event in await world.events(message_id)]
    assert states == ["CREATED", *["ACTIVE", "ERROR", "RETRY"] * 3, "ACTIVE", "ERROR", "FAILED"]
    page = await world.ask(lambda sdk: sdk.dlq.list())
    assert [(letter.message_id, letter.response_status) for letter in page.messages] == [(message_id, 503)]


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "40"}, 40),
        ({"Retry-After": "1h1m"}, 3660),
        ({"X-RateLimit-Reset-Tokens": "1m30s"}, 90),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "100000"}, 2),
        ({}, 2),
    ],
)
async def test_the_destination_decides_else_the_expression(
    slow_world: World, headers: dict[str, str], wait: float
) -> None:
    slow_world.destination.answers.append(Answer(429, headers))
    message_id = await slow_world.publish(retries=1, retry_delay="2000 * (1 + retried)")
    await _until_retry(slow_world, message_id, 1)
    assert await waits(slow_world, message_id) == [pytest.approx(wait, abs=0.05)]
    slow_world.advance(wait)
    await slow_world.idle()
    assert len(slow_world.destination.deliveries) == 2


async def test_the_scale_multiplies_every_wait(build_world: Build) -> None:
    world = await build_world(backoff_scale=0.5)
    world.destination.answers.extend([Answer(500), Answer(500, {"Retry-After": "100"})])
    message_id = await world.publish(retries=2)
    await _until_retry(world, message_id, 1)
    world.advance(6)
    await _until_retry(world, message_id, 2)
    assert await waits(world, message_id) == pytest.approx([6, 50], abs=0.05)


async def test_489_with_the_header_is_final(world: World) -> None:
    world.destination.otherwise = Answer(489, {"Upstash-NonRetryable-Error": "true"}, b"no such user")
    message_id = await world.publish(retries=3)
    await world.idle()
    assert len(world.destination.deliveries) == 1
    assert [event["state"] for event in await world.events(message_id)][-2:] == ["ERROR", "FAILED"]


@pytest.mark.parametrize("answer", [Answer(489), Answer(500, {"Upstash-NonRetryable-Error": "true"})])
async def test_half_of_it_is_not(world: World, answer: Answer) -> None:
    world.destination.otherwise = answer
    await world.publish(retries=1)
    await world.idle()
    assert len(world.destination.deliveries) == 2


async def test_a_redirect_is_a_failure(world: World) -> None:
    world.destination.otherwise = Answer(302, {"Location": f"{world.destination.url}/elsewhere"})
    await world.publish(retries=0)
    await world.idle()
    page = await world.ask(lambda sdk: sdk.dlq.list())
    assert [letter.response_status for letter in page.messages] == [302]
    assert not world.destination.to("/elsewhere")


async def test_a_timeout_ends_the_attempt(world: World) -> None:
    gate = asyncio.Event()
    world.destination.answers.append(Answer(200, gate=gate))
    message_id = await world.publish(timeout="50ms", retries=1)
    await world.idle()
    gate.set()
    error = next(event for event in await world.events(message_id) if event["state"] == "ERROR")
    assert error["error"] == "no response within 0.05 s"
    assert len(world.destination.deliveries) == 2


async def test_nobody_there_has_status_zero(world: World) -> None:
    await world.publish(url="http://127.0.0.1:1/nobody", retries=0)
    await world.idle()
    page: Any = await world.ask(lambda sdk: sdk.dlq.list())
    assert [letter.response_status for letter in page.messages] == [0]
    assert "127.0.0.1:1" in page.messages[0].response_body
