import json
from typing import Any

import pytest
from qstash.errors import QStashError

from infra.local.qstash import PLANS
from tests.contract.conftest import Build
from tests.contract.world import Answer, World, verify


async def group(world: World, name: str = "g", *paths: str) -> None:
    endpoints: Any = [
        {"url": f"{world.destination.url}/{path}", "name": path} for path in paths or ("a", "b")
    ]
    await world.ask(lambda sdk: sdk.url_group.upsert_endpoints(name, endpoints))


async def test_endpoints_come_and_go(world: World) -> None:
    await world.ask(lambda sdk: sdk.url_group.delete("g"))
    await group(world)
    await world.ask(
        lambda sdk: sdk.url_group.upsert_endpoints(
            "g",
            [
                {"url": f"{world.destination.url}/a", "name": "new-name"},
                {"url": f"{world.destination.url}/c"},
            ],
        )
    )
    made = await world.ask(lambda sdk: sdk.url_group.get("g"))
    assert [(endpoint.url.rpartition("/")[2], endpoint.name) for endpoint in made.endpoints] == [
        ("a", "new-name"), ("b", "b"), ("c", None),
    ]  # fmt: skip
    assert made.name == "g"
    assert made.updated_at >= made.created_at > 0
    await world.ask(
        lambda sdk: sdk.url_group.remove_endpoints(
            "g", [{"name": "b"}, {"url": f"{world.destination.url}/c"}]
        )
    )
    [listed] = await world.ask(lambda sdk: sdk.url_group.list())
    assert [endpoint.name for endpoint in listed.endpoints] == ["new-name"]
    await world.ask(lambda sdk: sdk.url_group.remove_endpoints("g", [{"name": "new-name"}]))
    assert await world.ask(lambda sdk: sdk.url_group.list()) == []
    with pytest.raises(QStashError, match=r"404.*url group g not found"):
        await world.ask(lambda sdk: sdk.url_group.get("g"))


async def test_an_endpoint_may_move(world: World) -> None:
    await group(world, "g", "a")
    await world.http(
        "POST",
        "/v2/topics/g/endpoints",
        json.dumps({"endpoints": [{"name": "a", "url": "https://new.example"}]}),
    )
    assert (await world.http("GET", "/v2/topics/g"))[1]["endpoints"] == [
        {"name": "a", "url": "https://new.example"}
    ]


async def test_each_endpoint_gets_a_message(world: World) -> None:
    await group(world)
    responses: Any = await world.ask(lambda sdk: sdk.message.publish(url_group="g", body="x"))
    assert [response.url.rpartition("/")[2] for response in responses] == ["a", "b"]
    deliveries = await world.destination.received(2)
    by_id = {delivery.headers["Upstash-Message-Id"]: delivery for delivery in deliveries}
    for response in responses:
        delivery = by_id[response.message_id]
        assert (delivery.body, delivery.headers["Upstash-Topic-Name"]) == (b"x", "g")
        verify(world, delivery, response.url)
        _, message = await world.http("GET", f"/v2/messages/{response.message_id}")
        assert (message["topicName"], message["endpointName"]) == ("g", response.url.rpartition("/")[2])
    status, answer = await world.http("POST", "/v2/publish/g", "x")
    assert status == 200
    assert isinstance(answer, list)


async def test_one_endpoint_fails_alone(world: World) -> None:
    await group(world)
    world.destination.answers.extend([Answer(500), Answer(200)])
    await world.ask(
        lambda sdk: sdk.message.publish(
            url_group="g", retries=0, failure_callback=f"{world.destination.url}/failure"
        )
    )
    await world.idle()
    page = await world.ask(lambda sdk: sdk.dlq.list(filter={"url_group": "g"}))
    [letter] = page.messages
    assert (letter.url_group, letter.endpoint) == ("g", letter.url.rpartition("/")[2])
    body = json.loads(world.destination.to("/failure")[0].body)
    assert (body["topicName"], body["endpointName"]) == ("g", letter.endpoint)
    await world.http("POST", f"/v2/dlq/retry/{letter.dlq_id}")
    await world.idle()
    assert len(world.destination.to(f"/{letter.endpoint}")) == 2
    assert world.destination.deliveries[-1].headers["Upstash-Topic-Name"] == "g"


async def test_duplicates_are_told_for_each_endpoint(world: World) -> None:
    await group(world)
    first: Any = await world.ask(lambda sdk: sdk.message.publish(url_group="g", deduplication_id="d"))
    status, again = await world.http("POST", "/v2/publish/g", Upstash_Deduplication_Id="d")
    assert status == 202
    assert [entry["messageId"] for entry in again] == [response.message_id for response in first]
    assert all(entry["deduplicated"] for entry in again)
    await group(world, "g", "c")
    status, again = await world.http("POST", "/v2/publish/g", Upstash_Deduplication_Id="d")
    assert (status, [entry.get("deduplicated") for entry in again]) == (200, [True, True, None])
    await world.idle()
    assert len(world.destination.deliveries) == 3


async def test_default_headers_make_a_webhook_of_it(world: World) -> None:
    await group(world)
    headers = {"Upstash-Retries": ["1"], "Upstash-Header-Forward": "true", "Upstash-Method": "PUT"}
    assert (await world.http("PATCH", "/v2/topics/g", json.dumps({"headers": headers})))[0] == 200
    assert (await world.http("GET", "/v2/topics/g"))[1]["headers"]["Upstash-Retries"] == ["1"]
    status, answer = await world.http(
        "POST", f"/v2/publish/g?qstash_token={world.server.token}", "x", token="", X_Event="paid",
        Authorization="Bearer of-the-webhook", Upstash_Method="PATCH",
    )  # fmt: skip
    deliveries = await world.destination.received(2)
    assert status == 200
    for delivery in deliveries:
        assert (delivery.method, delivery.headers["X-Event"]) == ("PATCH", "paid")
        assert delivery.headers["Authorization"] == "Bearer of-the-webhook"
    message = (await world.http("GET", f"/v2/messages/{answer[0]['messageId']}"))[1]
    assert message["maxRetries"] == 1


async def test_in_a_batch_and_in_a_queue(world: World) -> None:
    await group(world)
    responses: Any = await world.ask(
        lambda sdk: sdk.message.batch(
            [{"url_group": "g", "queue": "q"}, {"url": f"{world.destination.url}/c"}]
        )
    )
    assert [isinstance(response, list) for response in responses] == [True, False]
    await world.idle()
    order = [delivery.path for delivery in world.destination.deliveries]
    assert order.index("/a") < order.index("/b")
    assert (await world.ask(lambda sdk: sdk.queue.get("q"))).lag == 0
    status, answer = await world.http("POST", "/v2/batch", json.dumps([{"destination": "none"}]))
    assert (status, answer) == (200, [{"error": "url group none not found"}])


async def test_a_schedule_finds_the_endpoints_when_it_fires(world: World) -> None:
    await group(world, "g", "a")
    await world.ask(
        lambda sdk: sdk.schedule.create(destination="g", cron="0 0 1 1 *", schedule_id="s", body="x")
    )
    assert (await world.ask(lambda sdk: sdk.schedule.get("s"))).destination == "g"
    await group(world, "g", "b")
    await world.server.trigger("s")
    await world.idle()
    assert sorted(delivery.path for delivery in world.destination.deliveries) == ["/a", "/b"]
    assert {delivery.headers["Upstash-Schedule-Id"] for delivery in world.destination.deliveries} == {"s"}
    states = (await world.ask(lambda sdk: sdk.schedule.get("s"))).last_schedule_states
    assert states is not None
    assert len(states) == 2
    await world.ask(lambda sdk: sdk.url_group.delete("g"))
    with pytest.raises(RuntimeError, match="url group g not found"):
        await world.server.trigger("s")
    assert (await world.ask(lambda sdk: sdk.schedule.get("s"))).error == "url group g not found"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("", "the body must be an object"),
        ("{}", "the body must be an object with a list named endpoints"),
        ('{"endpoints": []}', "the body must be an object with a list named endpoints"),
        ('{"endpoints": [1]}', "each endpoint must be an object with a url or a name"),
        ('{"endpoints": [{"url": 1}]}', "each endpoint must be an object with a url or a name"),
        ('{"endpoints": [{"url": "ftp://a.b"}]}', "invalid destination url: endpoint has invalid scheme"),
        ('{"endpoints": [{"name": "a"}]}', "invalid destination url: endpoint has invalid scheme"),
        ('{"endpoints": [{"url": "http://a.b", "name": "a b"}]}', "invalid endpoint name: 'a b'"),
    ],
)
async def test_bad_endpoints(world: World, body: str, text: str) -> None:
    status, answer = await world.http("POST", "/v2/topics/g/endpoints", body)
    assert (status, answer["error"].startswith(text)) == (400, True), answer
    assert await world.ask(lambda sdk: sdk.url_group.list()) == []


async def test_the_plan_limits_groups_and_endpoints(build_world: Build) -> None:
    world = await build_world(plan=PLANS["free"])
    await group(world)
    for name in ("h", "g"):
        many = [{"url": f"http://a.b/{n}"} for n in range(1 if name == "h" else 99)]
        status, answer = await world.http(
            "POST", f"/v2/topics/{name}/endpoints", json.dumps({"endpoints": many})
        )
        assert (status, "quota max" in answer["error"]) == (412, True)
    [kept] = await world.ask(lambda sdk: sdk.url_group.list())
    assert len(kept.endpoints) == 2
