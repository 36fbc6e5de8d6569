import asyncio
import json
from typing import Any

import pytest

from tests.contract.conftest import Build
from tests.contract.world import PATIENCE, Answer, World, verify


async def ask(world: World, method: str, path: str, body: object = None) -> Any:
    status, answer = await world.http(method, f"/control/{path}", None if body is None else json.dumps(body))
    assert status == 200, answer
    return answer


async def test_the_clock_is_moved(slow_world: World) -> None:
    """All of the backoff in a moment, without a hand on the server's own clock."""
    slow_world.destination.otherwise = Answer(500)
    message_id = await slow_world.publish(retries=2)
    await slow_world.destination.received(1)
    for advance, count in (("13s", 2), (149.0, 3)):
        async with asyncio.timeout(PATIENCE):
            while len([e for e in await slow_world.events(message_id) if e["state"] == "RETRY"]) < count - 1:
                pass
        before = await ask(slow_world, "GET", "clock")
        after = await ask(slow_world, "POST", "clock", {"advance": advance})
        assert after["ahead"] > before["ahead"]
        await slow_world.destination.received(count)
    assert await ask(slow_world, "POST", "idle?timeout=10s") == {"pending": 0}
    [letter] = (await slow_world.ask(lambda sdk: sdk.dlq.list())).messages
    assert letter.message_id == message_id
    assert (await ask(slow_world, "POST", "clock", {"set": 2_000_000_000}))["now"] == pytest.approx(
        2_000_000_000, abs=10
    )
    assert (await ask(slow_world, "POST", "clock", {"advance": "-1h"}))["now"] < 2_000_000_000
    assert (await ask(slow_world, "POST", "clock", {"set": None}))["ahead"] == 0


async def test_receivers_accept_what_a_moved_clock_sends(slow_world: World) -> None:
    """They tell the real time, and may not be asked to do otherwise."""
    for move in ({"advance": "30d"}, {"advance": "-60d"}):
        await ask(slow_world, "POST", "clock", move)
        await slow_world.publish(body="x")
        await slow_world.idle()
        verify(slow_world, slow_world.destination.deliveries[-1], slow_world.destination.url)


async def test_finish_runs_everything_to_its_end(slow_world: World) -> None:
    slow_world.destination.otherwise = Answer(500)
    await slow_world.publish(retries=5, delay="3d")
    await slow_world.publish(
        url=f"{slow_world.destination.url}/ok", flow_control={"key": "k", "rate": 1, "period": "1d"}
    )
    await slow_world.publish(
        url=f"{slow_world.destination.url}/ok",
        flow_control={"key": "k", "rate": 1, "period": "1d"},
        retries=0,
    )
    assert await ask(slow_world, "POST", "finish?timeout=10") == {"pending": 0}
    assert len(slow_world.destination.to("/")) == 6
    assert (await ask(slow_world, "GET", "clock"))["ahead"] > 3 * 86_400


async def test_waiting_says_what_is_left(world: World) -> None:
    await world.ask(lambda sdk: sdk.queue.upsert("q", paused=True))
    await world.ask(lambda sdk: sdk.message.enqueue(queue="q", url=world.destination.url))
    for path in ("idle", "finish"):
        status, answer = await world.http("POST", f"/control/{path}?timeout=50ms")
        assert status == 408
        assert "still pending after 0.05 s: msg_" in answer["error"]


async def test_faults_on_demand(world: World) -> None:
    assert (await ask(world, "POST", "faults", {"duplicate": 2}))["duplicate"] == 2
    await world.publish()
    await world.idle()
    assert len(world.destination.deliveries) == 2
    await ask(world, "POST", "faults", {"refusePublish": {"status": 503, "times": 1}, "duplicate": 1})
    assert (await world.http("POST", f"/v2/enqueue/q/{world.destination.url}"))[0] == 503
    assert (await world.http("POST", f"/v2/enqueue/q/{world.destination.url}"))[0] == 200
    clean = await ask(world, "DELETE", "faults")
    assert clean == {
        "duplicate": 1, "delay": 0.0, "reorder": 1, "dropDeliveries": 0, "dropAnswers": 0, "dropCallbacks": False,
        "refusePublish": None,
    }  # fmt: skip


async def test_a_dropped_delivery_is_retried(world: World) -> None:
    await ask(world, "POST", "faults", {"dropDeliveries": 1})
    message_id = await world.publish(retries=1)
    await world.idle()
    [delivery] = world.destination.deliveries
    assert delivery.headers["Upstash-Retried"] == "1"
    error = next(event for event in await world.events(message_id) if event["state"] == "ERROR")
    assert error["error"] == "dropped on purpose, before it was sent"


async def test_a_dropped_answer_is_retried(world: World) -> None:
    await ask(world, "POST", "faults", {"dropAnswers": 1})
    await world.publish(retries=1)
    await world.idle()
    assert [delivery.headers["Upstash-Retried"] for delivery in world.destination.deliveries] == ["0", "1"]


async def test_deliveries_overtake(world: World) -> None:
    await ask(world, "POST", "faults", {"reorder": 4})
    for n in range(4):
        await world.publish(url=f"{world.destination.url}/{n}")
    await world.idle()
    assert [delivery.path for delivery in world.destination.deliveries] == ["/3", "/2", "/1", "/0"]
    await world.publish(url=f"{world.destination.url}/alone")
    await world.idle()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "clock", {}),
        ("POST", "clock", {"advance": "soon"}),
        ("POST", "clock", {"advance": True}),
        ("POST", "clock", {"advance": 1e300}),
        ("POST", "clock", []),
        ("POST", "faults", {"duplicate": 0.5}),
        ("POST", "faults", {"duplicate": 101}),
        ("POST", "faults", {"explode": True}),
        ("POST", "faults", {"delay": 1, "refusePublish": {"status": 200}}),
        ("PUT", "hosts", {"api.example.com": 1}),
        ("PUT", "hosts", {"api.example.com": "http://127.0.0.1:1/path"}),
        ("PUT", "hosts", {"api.example.com": "ftp://127.0.0.1"}),
        ("PUT", "hosts", {"http://api.example.com": "127.0.0.1"}),
        ("POST", "idle?timeout=x", None),
    ],
)
async def test_bad_control(world: World, method: str, path: str, body: object) -> None:
    status, answer = await world.http(method, f"/control/{path}", json.dumps(body))
    assert (status, isinstance(answer["error"], str)) == (400, True)
    assert world.server.faults.delivery_delay == 0
    assert world.server.clock.ahead == 0
    assert world.server.hosts.table() == {}


async def test_it_needs_a_token(world: World) -> None:
    for path in ("clock", "faults", "hosts"):
        assert (await world.http("GET", f"/control/{path}", token=""))[0] == 401


async def test_a_public_host_is_rewritten(build_world: Build) -> None:
    world: World = await build_world(hosts={"Old.example.com": "127.0.0.1:1"})
    await ask(world, "PUT", "hosts", {"api.example.com": world.destination.url})
    url = "https://api.example.com//jobs/a%2Fb?x=%20&y=1"
    await world.publish(url=url, body="x")
    [delivery] = await world.destination.received(1)
    assert (delivery.path, delivery.headers["Host"]) == ("//jobs/a%2Fb?x=%20&y=1", "api.example.com")
    verify(world, delivery, url)
    assert await ask(world, "GET", "hosts") == {"api.example.com": world.destination.url}


@pytest.mark.parametrize(
    ("url", "path"), [("https://api.example.com?x=1", "/?x=1"), ("https://api.example.com:8443", "/")]
)
async def test_a_rewritten_url_without_a_path(world: World, url: str, path: str) -> None:
    host = url.removeprefix("https://").partition("?")[0]
    world.server.hosts.replace({host: world.destination.url})
    await world.publish(url=url)
    [delivery] = await world.destination.received(1)
    assert (delivery.path, delivery.headers["Host"]) == (path, host)


async def test_redeliver_and_trigger(world: World) -> None:
    message_id = await world.publish()
    await world.idle()
    assert await ask(world, "POST", f"redeliver/{message_id}") == {"status": 200}
    await world.ask(
        lambda sdk: sdk.schedule.create(destination=world.destination.url, cron="0 0 1 1 *", schedule_id="s")
    )
    assert (await ask(world, "POST", "trigger/s"))["messageId"].startswith("msg_")
    await world.idle()
    assert len(world.destination.deliveries) == 3
    assert (await world.http("POST", "/control/redeliver/msg_x"))[0] == 404
    assert (await world.http("POST", "/control/trigger/scd_x"))[0] == 404


async def test_reset_forgets_everything(world: World) -> None:
    await world.ask(lambda sdk: sdk.signing_key.rotate())
    await world.publish(delay=60)
    await world.ask(
        lambda sdk: sdk.schedule.create(destination=world.destination.url, cron="* * * * *", schedule_id="s")
    )
    await ask(world, "POST", "clock", {"advance": "1s"})
    await ask(world, "POST", "reset")
    assert world.server.pending() == 0
    assert await world.ask(lambda sdk: sdk.schedule.list()) == []
    assert (await world.http("GET", "/v2/events"))[1]["events"] == []
    assert (await ask(world, "GET", "clock"))["ahead"] == 0
    keys = await world.ask(lambda sdk: sdk.signing_key.get())
    assert keys.current == "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r"
    await world.publish()
    await world.idle()
    assert len(world.destination.deliveries) == 1
