import json
from typing import Any

import pytest
from qstash.errors import DailyMessageLimitExceededError

from infra.local.qstash import PLANS, Plan
from tests.contract.conftest import Build
from tests.contract.world import Answer, World


async def test_the_free_plan(build_world: Build) -> None:
    world: World = await build_world(plan=PLANS["free"])
    publish = f"/v2/publish/{world.destination.url}"
    assert await world.http("POST", publish, "x" * (2**20 + 1)) == (
        412,
        {"error": "quota maxMessageSize exceeded, current limit: 1048576"},
    )
    assert await world.http("POST", publish, Upstash_Delay="8d") == (
        412,
        {"error": "quota maxDelay exceeded, current limit: 604800"},
    )
    message_id = await world.publish(delay="1d", timeout="2h")
    [created] = await world.events(message_id)
    assert created["timeout"] == 900_000, "a timeout can only be shortened"


async def test_a_day_has_so_many_messages(build_world: Build) -> None:
    world: World = await build_world(plan=Plan(max_messages_per_day=3))
    await world.publish()
    items: list[Any] = [{"destination": world.destination.url}] * 3
    status, answer = await world.http("POST", "/v2/batch", json.dumps(items))
    assert (status, answer) == (429, {"error": "exceeded daily rate limit: 3 messages"})
    for _ in range(2):
        await world.publish()
    with pytest.raises(DailyMessageLimitExceededError) as error:
        await world.publish()
    assert (error.value.limit, error.value.remaining) == ("3", "0")
    assert error.value.reset is not None
    world.advance(int(error.value.reset) - world.clock() + 1)
    await world.publish()
    await world.idle()
    assert len(world.destination.deliveries) == 4


async def test_dead_letters_and_logs_are_kept_for_days(build_world: Build) -> None:
    world: World = await build_world(plan=PLANS["free"])
    world.destination.otherwise = Answer(500)
    old = await world.publish(retries=0)
    await world.idle()
    world.advance(2 * 86_400)
    new = await world.publish(retries=0)
    await world.idle()
    assert len((await world.http("GET", "/v2/dlq"))[1]["messages"]) == 2
    world.advance(1.5 * 86_400)
    _, page = await world.http("GET", "/v2/dlq")
    assert [letter["messageId"] for letter in page["messages"]] == [new]
    _, page = await world.http("GET", "/v2/events")
    assert {event["messageId"] for event in page["events"]} == {new}
    assert await world.events(old) == []


async def test_a_read_only_token_reads(world: World) -> None:
    account = world.server.accounts[world.server.token]
    token = account.read_only_token
    message_id = await world.publish(delay=60)
    assert (await world.http("GET", f"/v2/messages/{message_id}", token=token))[0] == 200
    for method, path in (
        ("POST", f"/v2/publish/{world.destination.url}"),
        ("DELETE", f"/v2/messages/{message_id}"),
        ("POST", "/v2/keys/rotate"),
        ("POST", "/control/reset"),
    ):
        status, answer = await world.http(method, path, token=token)
        assert (status, answer["error"]) == (
            403,
            "a read-only token may only read: use the user's own token",
        )
    assert world.server.pending() == 1
