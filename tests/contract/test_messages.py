import asyncio
from typing import Any

import pytest
from qstash.errors import QStashError

from tests.contract.world import Answer, World


async def test_a_message_tells_how_it_was_published(world: World) -> None:
    message_id = await world.publish(
        body="text",
        content_type="text/plain",
        headers={"bypass-tunnel-reminder": "1"},
        method="PATCH",
        retries=2,
        retry_delay="1000 * retried",
        delay="1d",
        callback="https://example.com/c",
        failure_callback="https://example.com/f",
        callback_headers={"Forward-X-Foo": "1"},
        flow_control={"key": "k", "parallelism": 3, "rate": 5, "period": "1m"},
        label="a,b",
    )
    message = await world.ask(lambda sdk: sdk.message.get(message_id))
    assert message.message_id == message_id
    assert message.headers == {"Content-Type": ["text/plain"], "Bypass-Tunnel-Reminder": ["1"]}
    assert (message.body, message.method, message.max_retries) == ("text", "PATCH", 2)
    assert (message.retry_delay_expression, message.label) == ("1000 * retried", "a")
    assert (message.callback, message.failure_callback) == ("https://example.com/c", "https://example.com/f")
    assert message.callback_headers is not None
    assert message.callback_headers["X-Foo"] == ["1"]
    assert message.not_before == pytest.approx(message.created_at + 86_400_000, abs=2)
    flow = message.flow_control
    assert flow is not None
    assert (flow.key, flow.parallelism, flow.rate, flow.period) == ("k", 3, 5, 60)
    _, answer = await world.http("GET", f"/v2/messages/{message_id}")
    assert answer["labels"] == ["a", "b"]


async def test_a_bare_message_has_no_empty_fields(world: World) -> None:
    message_id = await world.publish(delay=60)
    _, answer = await world.http("GET", f"/v2/messages/{message_id}")
    assert set(answer) == {"messageId", "url", "method", "maxRetries", "notBefore", "createdAt", "callerIP"}
    assert answer["maxRetries"] == 3


async def test_a_key_alone_has_the_default_period(world: World) -> None:
    message_id = await world.publish(delay=60, flow_control={"key": "k"})
    flow = (await world.ask(lambda sdk: sdk.message.get(message_id))).flow_control
    assert flow is not None
    assert (flow.parallelism, flow.rate, flow.period) == (None, None, 1)


async def test_bytes_are_shown_in_base64(world: World) -> None:
    _, answer = await world.http(
        "POST", f"/v2/publish/{world.destination.url}", b"\xff\xfe", Upstash_Delay="60s"
    )
    message = await world.ask(lambda sdk: sdk.message.get(answer["messageId"]))
    assert (message.body, message.body_base64) == (None, "//4=")


async def test_a_delivered_message_is_readable_for_a_minute(world: World) -> None:
    message_id = await world.publish()
    await world.idle()
    assert (await world.http("GET", f"/v2/messages/{message_id}"))[0] == 200
    world.advance(61)
    assert (await world.http("GET", f"/v2/messages/{message_id}"))[0] == 404
    assert await world.server.redeliver(message_id) == 200


async def test_a_failed_message_is_gone(world: World) -> None:
    world.destination.otherwise = Answer(500)
    message_id = await world.publish(retries=0)
    await world.idle()
    with pytest.raises(QStashError, match=f"404.*message {message_id} not found"):
        await world.ask(lambda sdk: sdk.message.get(message_id))


async def test_cancel_one(world: World) -> None:
    message_id = await world.publish(delay=60)
    assert await world.http("DELETE", f"/v2/messages/{message_id}") == (202, {"cancelled": 1})
    assert (await world.http("DELETE", f"/v2/messages/{message_id}"))[0] == 404
    assert (await world.http("GET", f"/v2/messages/{message_id}"))[0] == 404
    assert [event["state"] for event in await world.events(message_id)] == [
        "CREATED",
        "CANCEL_REQUESTED",
        "CANCELED",
    ]
    world.advance(120)
    await world.publish(url=f"{world.destination.url}/after")
    await world.idle()
    assert [delivery.path for delivery in world.destination.deliveries] == ["/after"]


async def test_a_cancelled_attempt_changes_nothing(world: World) -> None:
    gate = asyncio.Event()
    world.destination.otherwise = Answer(500, gate=gate)
    message_id = await world.publish(
        failure_callback=f"{world.destination.url}/failure", callback=world.destination.url
    )
    await world.destination.received(1)
    await world.ask(lambda sdk: sdk.message.cancel(message_id))
    assert world.server.pending() == 1
    gate.set()
    await world.idle()
    assert [event["state"] for event in await world.events(message_id)][-1] == "CANCELED"
    assert len(world.destination.deliveries) == 1


async def test_what_is_cancelled_at_the_last_moment_is_not_sent(world: World) -> None:
    """Its turn has come, but nothing has been sent: it stays cancelled, and its queue goes on."""
    await world.ask(lambda sdk: sdk.queue.upsert("q", paused=True))
    responses = [
        await world.ask(lambda sdk: sdk.message.enqueue(queue="q", url=world.destination.url))
        for _ in range(2)
    ]
    first, second = (response.message_id for response in responses)  # type: ignore[union-attr]
    courier = world.server.accounts[world.server.token].courier
    queue = courier.queues.get("q")
    assert queue is not None
    courier.queues.pause(queue, False)
    courier.cancel(courier.store.live[first])
    await world.idle()
    assert [event["state"] for event in await world.events(first)][-1] == "CANCELED"
    [delivery] = world.destination.deliveries
    assert delivery.headers["Upstash-Message-Id"] == second


async def test_cancel_many_and_all(world: World) -> None:
    ids = [await world.publish(delay=60) for _ in range(5)]
    assert await world.ask(lambda sdk: sdk.message.cancel_many([ids[0], "msg_unknown"])) == 1
    assert await world.http("DELETE", f"/v2/messages?messageIds={ids[1]}&messageIds={ids[2]}") == (
        202,
        {"cancelled": 2},
    )
    assert await world.ask(lambda sdk: sdk.message.cancel_all()) == 2
    await world.publish(delay=60)
    assert await world.ask(lambda sdk: sdk.message.cancel_many([])) == 1
    assert world.server.pending() == 0


async def test_cancel_by_filter(world: World) -> None:
    async def cancel(query: str) -> Any:
        return (await world.http("DELETE", f"/v2/messages?{query}"))[1]["cancelled"]

    base = world.destination.url
    for path, label in (("/a", "x"), ("/a", "y"), ("/b", "y,z"), ("/c", "w")):
        await world.publish(url=base + path, label=label, delay=60, flow_control={"key": path[1:]})
    assert (await world.http("DELETE", "/v2/messages?lable=x"))[0] == 400
    assert await cancel("label=x,z&path=/a") == 1
    assert await cancel("label=z&url=" + base + "/b") == 1
    assert await cancel("toDate=1") == 0
    assert await cancel("host=127.0.0.1&flowControlKey=c") == 1
    assert await cancel("count=500") == 1


async def test_bulk_actions(world: World) -> None:
    """What was cancelled by filter can be looked up; a list of ids is no bulk action."""
    ids = [await world.publish(delay=60, label=label) for label in ("a", "a", "b")]
    status, answer = await world.http("DELETE", "/v2/messages?label=a&async=true&count=1")
    assert (status, answer["cancelled"]) == (202, 2), "the count is no limit any more"
    _, action = await world.http("GET", f"/v2/bulkActions/{answer['actionId']}")
    assert action["createdAt"] == action["completedAt"] == pytest.approx(world.clock() * 1000, abs=10_000)
    assert {name: action[name] for name in ("actionId", "kind", "state", "total", "processed", "filter")} == {
        "actionId": answer["actionId"], "kind": "cancel", "state": "FINISHED", "total": 2, "processed": 2,
        "filter": {"label": ["a"], "count": ["1"]},
    }  # fmt: skip
    assert await world.http("DELETE", f"/v2/messages?messageIds={ids[2]}&label=none") == (
        202,
        {"cancelled": 1},
    )
    assert (await world.http("GET", "/v2/bulkActions"))[1] == [action]
    assert (await world.http("DELETE", "/v2/messages?count=501"))[0] == 400
