import asyncio
import json
from typing import Any

import pytest
from qstash.errors import QStashError

from infra.local.qstash import PLANS, Plan
from tests.contract.conftest import Build
from tests.contract.world import PATIENCE, Answer, World


async def enqueue(world: World, path: str, queue: str = "q", **options: Any) -> str:
    options.setdefault("url", f"{world.destination.url}/{path}")
    response: Any = await world.ask(lambda sdk: sdk.message.enqueue(queue=queue, **options))
    return str(response.message_id)


async def enqueue_by_http(world: World, path: str, **headers: str) -> str:
    """What the SDK has no option for."""
    status, answer = await world.http("POST", f"/v2/enqueue/q/{world.destination.url}/{path}", **headers)
    assert status == 200
    return str(answer["messageId"])


def paths(world: World) -> list[str]:
    return [delivery.path for delivery in world.destination.deliveries]


async def test_a_queue_is_made_by_its_first_message(world: World) -> None:
    assert await world.ask(lambda sdk: sdk.queue.list()) == []
    message_id = await enqueue_by_http(world, "a", Upstash_Delay="60s")
    [queue] = await world.ask(lambda sdk: sdk.queue.list())
    assert (queue.name, queue.parallelism, queue.paused, queue.lag) == ("q", 1, False, 1)
    assert queue.created_at == queue.updated_at == pytest.approx(world.clock() * 1000, abs=10_000)
    message = await world.ask(lambda sdk: sdk.message.get(message_id))
    assert message.queue == "q"
    assert [event["queueName"] for event in await world.events(message_id)] == ["q"]


async def test_upsert_pause_resume_delete(world: World) -> None:
    await world.ask(lambda sdk: sdk.queue.upsert("a.b-c_1", parallelism=3, paused=True))
    queue = await world.ask(lambda sdk: sdk.queue.get("a.b-c_1"))
    assert (queue.parallelism, queue.paused) == (3, True)
    await world.ask(lambda sdk: sdk.queue.upsert("a.b-c_1"))
    queue = await world.ask(lambda sdk: sdk.queue.get("a.b-c_1"))
    assert (queue.parallelism, queue.paused) == (1, False)
    await world.ask(lambda sdk: sdk.queue.pause("a.b-c_1"))
    assert (await world.ask(lambda sdk: sdk.queue.get("a.b-c_1"))).paused
    await world.ask(lambda sdk: sdk.queue.resume("a.b-c_1"))
    assert not (await world.ask(lambda sdk: sdk.queue.get("a.b-c_1"))).paused
    for _ in range(2):
        await world.ask(lambda sdk: sdk.queue.delete("a.b-c_1"))
    with pytest.raises(QStashError, match=r"404.*queue a.b-c_1 not found"):
        await world.ask(lambda sdk: sdk.queue.get("a.b-c_1"))


async def test_first_in_first_out_through_failures(world: World) -> None:
    """The next one waits for the retries of the one before it, and for its dead letter."""
    world.destination.answers.extend([Answer(500), Answer(200), Answer(500), Answer(500), Answer(200)])
    for path, retries in (("one", 1), ("two", 1), ("three", 0)):
        await enqueue(world, path, retries=retries)
    await world.idle()
    assert paths(world) == ["/one", "/one", "/two", "/two", "/three"]
    assert world.destination.most_open == 1
    assert (await world.ask(lambda sdk: sdk.queue.get("q"))).lag == 0


async def test_a_wait_before_a_retry_keeps_the_others_waiting(slow_world: World) -> None:
    slow_world.destination.answers.append(Answer(500))
    await enqueue(slow_world, "one")
    await enqueue(slow_world, "two")
    await slow_world.destination.received(1)
    assert (await slow_world.ask(lambda sdk: sdk.queue.get("q"))).lag == 2
    async with asyncio.timeout(PATIENCE):
        while not (await slow_world.http("GET", "/v2/events?state=RETRY"))[1]["events"]:
            pass
    assert paths(slow_world) == ["/one"]
    slow_world.advance(13)
    await slow_world.idle()
    assert paths(slow_world) == ["/one", "/one", "/two"]


async def test_the_next_one_waits_for_callbacks_and_their_retries(world: World) -> None:
    world.destination.answers.extend([Answer(200), Answer(500), Answer(200), Answer(200)])
    await enqueue(world, "one", callback=f"{world.destination.url}/callback")
    await enqueue(world, "two")
    await world.idle()
    assert paths(world) == ["/one", "/callback", "/callback", "/two"]


async def test_the_next_one_waits_for_a_failure_callback(world: World) -> None:
    gate = asyncio.Event()
    world.destination.answers.extend([Answer(500), Answer(200, gate=gate)])
    await enqueue(world, "one", retries=0, failure_callback=f"{world.destination.url}/failure")
    await enqueue(world, "two")
    await world.destination.received(2)
    await world.ask(lambda sdk: sdk.queue.get("q"))
    assert paths(world) == ["/one", "/failure"]
    gate.set()
    await world.idle()
    assert paths(world)[2:] == ["/two"]
    body = json.loads(world.destination.to("/failure")[0].body)
    assert body["queueName"] == "q"


async def test_parallelism_and_queues_apart(world: World) -> None:
    gate = asyncio.Event()
    world.destination.otherwise = Answer(gate=gate)
    await world.ask(lambda sdk: sdk.queue.upsert("two", parallelism=2))
    for n in range(4):
        await enqueue(world, f"two-{n}", "two")
        await enqueue(world, f"one-{n}", "one")
    await world.destination.received(3)
    assert sorted(paths(world)) == ["/one-0", "/two-0", "/two-1"]
    await world.ask(lambda sdk: sdk.queue.upsert("one", parallelism=3))
    await world.destination.received(5)
    gate.set()
    await world.idle()
    assert len(paths(world)) == 8


async def test_a_paused_queue_delivers_nothing_new(world: World) -> None:
    await world.ask(lambda sdk: sdk.queue.upsert("q", paused=True))
    for path in ("one", "two"):
        await enqueue(world, path)
    await world.publish(url=f"{world.destination.url}/other")
    await world.destination.received(1)
    assert (await world.ask(lambda sdk: sdk.queue.get("q"))).lag == 2
    assert paths(world) == ["/other"]
    await world.ask(lambda sdk: sdk.queue.resume("q"))
    await world.idle()
    assert paths(world) == ["/other", "/one", "/two"]


async def test_a_cancelled_message_gives_up_its_place(world: World) -> None:
    gate = asyncio.Event()
    world.destination.answers.append(Answer(gate=gate))
    ids = [await enqueue(world, str(n)) for n in range(4)]
    await world.destination.received(1)
    assert (await world.http("DELETE", f"/v2/messages?messageIds={ids[0]}&messageIds={ids[1]}"))[1] == {
        "cancelled": 2
    }
    await world.ask(lambda sdk: sdk.queue.get("q"))
    assert paths(world) == ["/0"], "the request under way still has the place"
    gate.set()
    await world.idle()
    assert paths(world) == ["/0", "/2", "/3"]


async def test_a_stop_frees_the_places_of_the_cancelled(world: World) -> None:
    gate = asyncio.Event()
    world.destination.answers.append(Answer(gate=gate))
    ids = [await enqueue(world, str(n)) for n in range(2)]
    await world.destination.received(1)
    await world.ask(lambda sdk: sdk.message.cancel(ids[0]))
    await world.server.stop()
    gate.set()
    await world.server.start()
    await world.idle()
    assert paths(world) == ["/0", "/1"]


async def test_deleting_a_queue_cancels_who_waits(world: World) -> None:
    gate = asyncio.Event()
    world.destination.answers.append(Answer(gate=gate))
    ids = [await enqueue(world, str(n)) for n in range(3)]
    await world.destination.received(1)
    await world.ask(lambda sdk: sdk.queue.delete("q"))
    gate.set()
    await world.idle()
    assert paths(world) == ["/0"]
    states = [[event["state"] for event in await world.events(message_id)][-1] for message_id in ids]
    assert states == ["DELIVERED", "CANCELED", "CANCELED"]


async def test_a_delayed_message_finds_its_deleted_queue_anew(build_world: Build) -> None:
    """Even where the plan has no room for the queue: nothing else would deliver the message."""
    world = await build_world(plan=Plan(max_queues=1))
    await enqueue_by_http(world, "late", Upstash_Delay="60s")
    await world.ask(lambda sdk: sdk.queue.delete("q"))
    await world.ask(lambda sdk: sdk.queue.upsert("other"))
    world.advance(61)
    await world.idle()
    assert paths(world) == ["/late"]


async def test_filters_by_queue(world: World) -> None:
    world.destination.otherwise = Answer(500)
    failed = await enqueue(world, "a", retries=0)
    await world.publish(retries=0)
    await world.idle()
    page = await world.ask(lambda sdk: sdk.dlq.list(filter={"queue": "q"}))
    assert [(letter.message_id, letter.queue) for letter in page.messages] == [(failed, "q")]
    logs = (await world.ask(lambda sdk: sdk.log.list(filter={"queue": "q"}))).logs
    assert {log.message_id for log in logs} == {failed}
    await enqueue_by_http(world, "b", Upstash_Delay="60s")
    await world.publish(delay=60)
    assert (await world.http("DELETE", "/v2/messages?queueName=q&queueName=other"))[1] == {"cancelled": 1}
    assert world.server.pending() == 1
    world.destination.otherwise = Answer(200)
    _, again = await world.http("POST", f"/v2/dlq/retry/{page.messages[0].dlq_id}")
    assert (await world.http("GET", f"/v2/messages/{again['messageId']}"))[1]["queueName"] == "q"


async def test_a_batch_may_enqueue(world: World) -> None:
    items: Any = [
        {"url": f"{world.destination.url}/{n}", "queue": "q" if n < 3 else None, "body": str(n)}
        for n in range(4)
    ]
    await world.ask(lambda sdk: sdk.message.batch(items))
    await world.idle()
    assert [path for path in paths(world) if path != "/3"] == ["/0", "/1", "/2"]
    assert (await world.ask(lambda sdk: sdk.queue.get("q"))).parallelism == 1
    status, answer = await world.http(
        "POST", "/v2/batch", json.dumps([{"destination": world.destination.url, "queue": "a b"}])
    )
    assert (status, "invalid queue name" in answer[0]["error"]) == (200, True)


async def test_flow_control_within_a_queue(world: World) -> None:
    for path in ("one", "two"):
        await enqueue_by_http(
            world, path, Upstash_Flow_Control_Key="k", Upstash_Flow_Control_Value="rate=1,period=1h"
        )
    await world.destination.received(1)
    async with asyncio.timeout(PATIENCE):
        while (await world.http("GET", "/v2/flowControl/k"))[1]["waitListSize"] != 1:
            pass
    world.advance(3601)
    await world.idle()
    assert paths(world) == ["/one", "/two"]


async def test_a_schedule_may_enqueue(world: World) -> None:
    await world.ask(lambda sdk: sdk.queue.upsert("q", paused=True))
    await world.ask(
        lambda sdk: sdk.schedule.create(
            destination=world.destination.url, cron="0 0 1 1 *", schedule_id="s", queue="q"
        )
    )
    assert (await world.ask(lambda sdk: sdk.schedule.get("s"))).queue == "q"
    await world.server.trigger("s")
    assert (await world.ask(lambda sdk: sdk.queue.get("q"))).lag == 1
    await world.ask(lambda sdk: sdk.queue.resume("q"))
    await world.idle()
    assert world.destination.deliveries[0].headers["Upstash-Schedule-Id"] == "s"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"queueName": "a/b"}', "invalid queue name: 'a/b' may hold only"),
        ("{}", "invalid queue name: None may hold only"),
        ('{"queueName": "q", "parallelism": 0}', "invalid parallelism: 0 is not a positive whole number"),
        ('{"queueName": "q", "parallelism": true}', "invalid parallelism: True is not"),
        ('{"queueName": "q", "paused": "yes"}', "invalid paused: 'yes' is not a boolean"),
        ("[]", "the body must be an object"),
        ("{", "the body is not valid JSON"),
    ],
)
async def test_bad_queues(world: World, body: str, text: str) -> None:
    status, answer = await world.http("POST", "/v2/queues", body)
    assert (status, answer["error"].startswith(text)) == (400, True), answer
    assert await world.ask(lambda sdk: sdk.queue.list()) == []


async def test_the_plan_limits_queues(build_world: Build) -> None:
    world = await build_world(plan=PLANS["free"])
    for n in range(10):
        assert (await world.http("POST", "/v2/queues", f'{{"queueName": "q{n}"}}'))[0] == 200
    too_many = (412, {"error": "quota maxQueues exceeded, current limit: 10"})
    assert await world.http("POST", "/v2/queues", '{"queueName": "more"}') == too_many
    assert await world.http("POST", f"/v2/enqueue/more/{world.destination.url}") == too_many
    assert await world.http("POST", "/v2/queues", '{"queueName": "q1", "parallelism": 3}') == (
        412,
        {"error": "quota maxQueueParallelism exceeded, current limit: 2"},
    )
    assert world.server.pending() == 0
