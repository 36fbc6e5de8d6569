import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from qstash.flow_control_api import FlowControlInfo

from infra.local.qstash import PLANS
from tests.contract.conftest import Build
from tests.contract.world import Answer, Delivery, World


async def test_parallelism(world: World) -> None:
    gate = asyncio.Event()
    world.destination.otherwise = Answer(gate=gate)
    for n in range(5):
        await world.publish(url=f"{world.destination.url}/{n}", flow_control={"key": "k", "parallelism": 2})
    await world.publish(url=f"{world.destination.url}/free", flow_control={"key": "other", "parallelism": 1})
    await world.destination.received(3)
    _, state = await world.http("GET", "/v2/flowControl/k")
    assert (state["parallelismMax"], state["parallelismCount"], state["waitListSize"]) == (2, 2, 3)
    assert {delivery.path for delivery in world.destination.deliveries} == {"/0", "/1", "/free"}
    gate.set()
    await world.idle()
    assert len(world.destination.deliveries) == 6
    assert world.destination.most_open == 3
    _, state = await world.http("GET", "/v2/flowControl/k")
    assert (state["parallelismCount"], state["waitListSize"]) == (0, 0)


async def test_rate(world: World) -> None:
    for n in range(5):
        await world.publish(
            url=f"{world.destination.url}/{n}", flow_control={"key": "k", "rate": 2, "period": "1h"}
        )
    for count in (2, 4, 5):
        await world.destination.received(count)
        await world.ask(lambda sdk: sdk.log.list())
        assert len(world.destination.deliveries) == count
        world.advance(3601)
    await world.idle()


async def test_a_retry_gives_up_its_place(slow_world: World) -> None:
    slow_world.destination.answers.append(Answer(500))
    flow: Any = {"key": "k", "parallelism": 1}
    await slow_world.publish(url=f"{slow_world.destination.url}/fails", flow_control=flow)
    await slow_world.publish(url=f"{slow_world.destination.url}/next", flow_control=flow)
    deliveries = await slow_world.destination.received(2)
    assert [delivery.path for delivery in deliveries] == ["/fails", "/next"]
    slow_world.advance(13)
    await slow_world.idle()


async def test_the_last_configuration_counts(world: World) -> None:
    gate = asyncio.Event()
    world.destination.otherwise = Answer(gate=gate)
    for parallelism in (1, 1, 3):
        await world.publish(flow_control={"key": "k", "parallelism": parallelism})
    await world.destination.received(3)
    gate.set()
    await world.idle()


async def test_a_cancelled_message_is_skipped(world: World) -> None:
    gate = asyncio.Event()
    world.destination.answers.append(Answer(gate=gate))
    ids = [await world.publish(flow_control={"key": "k", "parallelism": 1}) for _ in range(3)]
    await world.destination.received(1)
    await world.ask(lambda sdk: sdk.message.cancel(ids[1]))
    gate.set()
    await world.idle()
    assert [delivery.headers["Upstash-Message-Id"] for delivery in world.destination.deliveries] == [
        ids[0],
        ids[2],
    ]


async def test_unknown_keys_and_lists(world: World) -> None:
    await world.publish(flow_control={"key": "a/b", "rate": 9, "period": 60})
    await world.idle()
    assert (await world.http("GET", "/v2/flowControl/unknown"))[0] == 404
    _, state = await world.http("GET", "/v2/flowControl/a/b")
    assert (state["flowControlKey"], state["rateMax"], state["ratePeriod"], state["rateCount"]) == (
        "a/b",
        9,
        60,
        1,
    )
    assert len((await world.http("GET", "/v2/flowControl?search=a"))[1]) == 1
    assert (await world.http("GET", "/v2/flowControl?search=z"))[1] == []


async def state_of(world: World, key: str = "k") -> FlowControlInfo:
    return await world.ask(lambda sdk: sdk.flow_control.get(key))


async def test_pause_and_resume(world: World) -> None:
    await world.ask(lambda sdk: sdk.flow_control.pause("k"))
    flow: Any = {"key": "k", "parallelism": 5}
    for _ in range(3):
        await world.publish(flow_control=flow)
    await world.publish(url=f"{world.destination.url}/free")
    await world.destination.received(1)
    state = await state_of(world)
    assert (state.is_paused, state.wait_list_size, state.parallelism_count) == (True, 3, 0)
    await world.ask(lambda sdk: sdk.flow_control.resume("k"))
    await world.idle()
    assert len(world.destination.deliveries) == 4
    assert not (await state_of(world)).is_paused


async def test_a_pin_goes_before_what_messages_say(world: World) -> None:
    gate = asyncio.Event()
    world.destination.otherwise = Answer(gate=gate)
    await world.ask(lambda sdk: sdk.flow_control.pin("k", {"parallelism": 1}))
    for _ in range(3):
        await world.publish(flow_control={"key": "k", "parallelism": 3, "rate": 50, "period": 60})
    await world.destination.received(1)
    state = await state_of(world)
    assert (state.parallelism_max, state.rate_max, state.rate_period) == (1, 50, 60)
    assert (state.is_pinned_parallelism, state.is_pinned_rate) == (True, False)
    await world.ask(lambda sdk: sdk.flow_control.unpin("k", {"parallelism": True}))
    state = await state_of(world)
    assert (state.parallelism_max, state.is_pinned_parallelism) == (1, False), (
        "until a message says otherwise"
    )
    await world.publish(flow_control={"key": "k", "parallelism": 3, "rate": 50, "period": 60})
    await world.destination.received(3)
    gate.set()
    await world.idle()


async def test_pinning_the_rate_counts_anew(world: World) -> None:
    for _ in range(3):
        await world.publish(flow_control={"key": "k", "rate": 1, "period": "1h"})
    await world.destination.received(1)
    await world.ask(lambda sdk: sdk.flow_control.pin("k", {"rate": 2, "period": 3600}))
    await world.idle()
    state = await state_of(world)
    assert (state.rate_max, state.rate_count, state.rate_period, state.is_pinned_rate) == (2, 2, 3600, True)


async def test_reset_rate(world: World) -> None:
    for _ in range(2):
        await world.publish(flow_control={"key": "a/b c", "rate": 1, "period": "1h"})
    await world.destination.received(1)
    assert (await state_of(world, "a/b%20c")).wait_list_size == 1
    await world.ask(lambda sdk: sdk.flow_control.reset_rate("a/b%20c"))
    await world.idle()
    state = await state_of(world, "a/b%20c")
    assert (state.rate_count, state.wait_list_size) == (1, 0)
    assert state.rate_period_start == pytest.approx(world.clock(), abs=10)


async def test_a_pause_keeps_the_period_running(world: World) -> None:
    for _ in range(2):
        await world.publish(flow_control={"key": "k", "rate": 1, "period": "1h"})
    await world.destination.received(1)
    await world.ask(lambda sdk: sdk.flow_control.pause("k"))
    world.advance(3601)
    assert (await state_of(world)).wait_list_size == 1
    await world.ask(lambda sdk: sdk.flow_control.resume("k"))
    await world.idle()
    assert len(world.destination.deliveries) == 2


@pytest.mark.parametrize("query", ["", "parallelism=0", "rate=x", "rate=1&period=8d", "period=5"])
async def test_bad_pins(world: World, query: str) -> None:
    status, answer = await world.http("POST", f"/v2/flowControl/k/pin?{query}")
    assert (status, isinstance(answer["error"], str)) == (400, True)
    assert (await world.http("GET", "/v2/flowControl/k"))[0] == 404


@pytest.mark.parametrize("verb", ["resume", "unpin", "resetRate"])
async def test_verbs_of_unknown_keys(world: World, verb: str) -> None:
    assert await world.http("POST", f"/v2/flowControl/none/{verb}") == (
        404,
        {"error": "flow control key none not found"},
    )


async def test_global_parallelism(build_world: Build) -> None:
    world = await build_world(plan=PLANS["free"])
    gate = asyncio.Event()
    world.destination.otherwise = Answer(gate=gate)
    for n in range(15):
        await world.publish(flow_control={"key": f"k{n}", "parallelism": 1})
    await world.destination.received(10)
    info = await world.ask(lambda sdk: sdk.flow_control.get_global_parallelism())
    assert (info.parallelism_max, info.parallelism_count) == (10, 10)
    gate.set()
    await world.idle()
    assert len(world.destination.deliveries) == 15
    assert world.destination.most_open == 10
    info = await world.ask(lambda sdk: sdk.flow_control.get_global_parallelism())
    assert info.parallelism_count == 0


async def test_under_load_no_limit_is_broken(world: World) -> None:
    """Three hundred messages of three keys, whose attempts fail now and then."""
    world.destination.answers.extend(Answer(500 if n % 7 == 0 else 200) for n in range(300))
    open_now: Counter[str] = Counter()
    most_open: Counter[str] = Counter()

    @contextmanager
    def watch(delivery: Delivery) -> Iterator[None]:
        open_now[delivery.path] += 1
        most_open[delivery.path] = max(most_open[delivery.path], open_now[delivery.path])
        yield
        open_now[delivery.path] -= 1

    world.destination.watch = watch
    items: list[Any] = [
        {
            "destination": f"{world.destination.url}/{n % 3}",
            "headers": {
                "Upstash-Flow-Control-Key": f"k{n % 3}",
                "Upstash-Flow-Control-Value": f"parallelism={n % 3 + 1}",
            },
        }
        for n in range(300)
    ]
    await world.http("POST", "/v2/batch", json.dumps(items))
    await world.idle()
    assert most_open == {"/0": 1, "/1": 2, "/2": 3}
    assert len(world.destination.deliveries) > 300
    for key in ("k0", "k1", "k2"):
        state = await state_of(world, key)
        assert (state.parallelism_count, state.wait_list_size) == (0, 0)
