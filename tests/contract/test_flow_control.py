import asyncio
from typing import Any

from tests.contract.world import Answer, World


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
