import json
from typing import Any

import pytest
from qstash.errors import QStashError
from qstash.http import HttpMethod

from tests.contract.world import Answer, World, verify


async def test_a_delivery_is_signed_and_complete(world: World) -> None:
    message_id = await world.publish(
        body='{"a": "ä"}', content_type="application/json", headers={"x-tenant-id": "7"}, method="PUT"
    )
    [delivery] = await world.destination.received(1)
    assert (delivery.method, delivery.path, delivery.body) == ("PUT", "/", '{"a": "ä"}'.encode())
    expected = {
        "User-Agent": "Upstash-QStash",
        "Content-Type": "application/json",
        "X-Tenant-Id": "7",
        "Upstash-Message-Id": message_id,
        "Upstash-Retried": "0",
        "Upstash-Region": "EU-CENTRAL-1",
        "Upstash-Caller-Ip": "127.0.0.1",
    }
    assert {name: delivery.headers.get(name) for name in expected} == expected
    verify(world, delivery, world.destination.url)


async def test_json_and_every_method(world: World) -> None:
    async def publish(method: HttpMethod) -> None:
        await world.ask(
            lambda sdk: sdk.message.publish_json(url=world.destination.url, method=method, body=[method])
        )

    methods: list[HttpMethod] = ["DELETE", "GET", "PATCH", "POST", "PUT"]
    for method in methods:
        await publish(method)
    deliveries = await world.destination.received(5)
    received = sorted((delivery.method, json.loads(delivery.body)[0]) for delivery in deliveries)
    assert received == [(method, method) for method in methods]


async def test_the_destination_is_taken_verbatim(world: World) -> None:
    destination = f"{world.destination.url}//a//../b%2Fc/?x=1&x=2&y=%20z&"
    status, answer = await world.http("POST", f"/v2/publish/{destination}", "hello")
    assert (status, answer["messageId"][:4]) == (200, "msg_")
    [delivery] = await world.destination.received(1)
    assert delivery.path == "//a//../b%2Fc/?x=1&x=2&y=%20z&"
    verify(world, delivery, destination)


async def test_configuration_by_query_does_not_reach_the_destination(world: World) -> None:
    path = f"/v2/publish/{world.destination.url}/p?a=1&upstash-method=PATCH&qstash_token={world.server.token}&b=2"
    status, _ = await world.http("POST", path, "x", token="")
    [delivery] = await world.destination.received(1)
    assert (status, delivery.method, delivery.path) == (200, "PATCH", "/p?a=1&b=2")


@pytest.mark.parametrize("body", [bytes(range(256)) * 5000, b"", b"\x1f\x8b not gzip"])
async def test_bytes_arrive_as_they_were(world: World, body: bytes) -> None:
    await world.http(
        "POST", f"/v2/publish/{world.destination.url}", body, Content_Type="application/x-y", Content_Encoding="gzip",
        Upstash_Forward_Content_Encoding="gzip",
    )  # fmt: skip
    [delivery] = await world.destination.received(1)
    assert delivery.body == body
    assert delivery.headers["Content-Type"] == "application/x-y"
    assert delivery.headers["Content-Encoding"] == "gzip"


async def test_without_a_content_type_none_is_sent(world: World) -> None:
    await world.publish(body="x")
    [delivery] = await world.destination.received(1)
    assert "Content-Type" not in delivery.headers


async def test_only_what_may_travel_is_forwarded(world: World) -> None:
    await world.http(
        "POST", f"/v2/publish/{world.destination.url}", "x", Upstash_Forward_Host="other", X_Mine="1",
        Upstash_Forward_Content_Length="99", Upstash_Label="l", Upstash_Forward_Upstash_Retried="9",
    )  # fmt: skip
    [delivery] = await world.destination.received(1)
    assert delivery.headers["Host"] == world.destination.url.removeprefix("http://")
    assert delivery.headers.getall("Upstash-Retried") == ["0"]
    assert delivery.headers["Content-Length"] == "1"
    assert not {"X-Mine", "Upstash-Label"} & set(delivery.headers)


async def test_header_forward_sends_all_but_the_token(world: World) -> None:
    await world.http(
        "POST", f"/v2/publish/{world.destination.url}?upstash-header-forward=true", "x", X_Mine="1"
    )
    [delivery] = await world.destination.received(1)
    assert delivery.headers["X-Mine"] == "1"
    assert "Authorization" not in delivery.headers
    assert not any(name.lower().startswith("upstash-header") for name in delivery.headers)


async def test_a_token_in_the_query_stays_here(world: World) -> None:
    """Not even where all headers are forwarded; but a webhook's own Authorization goes with them."""
    path = (
        f"/v2/publish/{world.destination.url}?qstash_token={world.server.token}&upstash-header-forward=true"
    )
    await world.http(
        "POST", path, "x", token="", Authorization="Basic webhook", Accept_Encoding="br", X_Event="paid"
    )
    [delivery] = await world.destination.received(1)
    assert world.server.token not in str(delivery)
    assert not any("token" in name.lower() for name in delivery.headers)
    assert (delivery.headers["Authorization"], delivery.headers["X-Event"]) == ("Basic webhook", "paid")
    assert delivery.headers["Accept-Encoding"] == "gzip"


async def test_a_batch_goes_to_all_in_order(world: World) -> None:
    responses = await world.ask(
        lambda sdk: sdk.message.batch_json(
            [
                {"url": f"{world.destination.url}/{n}", "body": {"n": n}, "headers": {"x-n": str(n)}}
                for n in range(3)
            ]
        )
    )
    deliveries = await world.destination.received(3)
    by_id = {delivery.headers["Upstash-Message-Id"]: delivery for delivery in deliveries}
    ids: list[Any] = [response.message_id for response in responses]  # type: ignore[union-attr]
    assert [by_id[message_id].path for message_id in ids] == ["/0", "/1", "/2"]
    for n, message_id in enumerate(ids):
        assert by_id[message_id].headers["X-N"] == str(n)
        verify(world, by_id[message_id], f"{world.destination.url}/{n}")


async def test_a_bad_item_of_a_batch_does_not_hold_up_the_others(world: World) -> None:
    items = [
        {
            "destination": world.destination.url,
            "headers": {"Upstash-Delay": "60"},
            "body": None,
            "queue": None,
        },
        {"destination": world.destination.url, "headers": None, "body": "fine \ud800"},
    ]
    status, answer = await world.http("POST", "/v2/batch", json.dumps(items))
    assert status == 200
    assert 'missing unit in duration "60"' in answer[0]["error"]
    [delivery] = await world.destination.received(1)
    assert (answer[1]["messageId"], delivery.body) == (delivery.headers["Upstash-Message-Id"], b"fine ?")


async def test_a_quota_refuses_the_whole_batch(world: World) -> None:
    items = [
        {"destination": world.destination.url, "body": "fine"},
        {"destination": world.destination.url, "headers": {"Upstash-Retries": "6"}},
    ]
    assert await world.http("POST", "/v2/batch", json.dumps(items)) == (
        412,
        {"error": "quota maxRetries exceeded"},
    )
    assert world.server.pending() == 0


async def test_a_delay_is_kept(world: World) -> None:
    await world.publish(delay="1h")
    not_before = int(world.clock()) + 7200
    await world.publish(delay=10, not_before=not_before, url=f"{world.destination.url}/later")
    assert world.server.pending() == 2
    world.advance(3599)
    await world.publish(url=f"{world.destination.url}/now")
    assert [delivery.path for delivery in await world.destination.received(1)] == ["/now"]
    world.advance(2)
    assert [delivery.path for delivery in await world.destination.received(2)] == ["/now", "/"]
    world.advance(3600)
    await world.idle()
    assert [delivery.path for delivery in world.destination.deliveries] == ["/now", "/", "/later"]


async def test_backoff_scale_leaves_delays_alone(world: World) -> None:
    message_id = await world.publish(delay=500)
    message = await world.ask(lambda sdk: sdk.message.get(message_id))
    assert message.not_before == pytest.approx(message.created_at + 500_000, abs=2)


async def test_a_repeated_id_is_swallowed_for_ten_minutes(world: World) -> None:
    world.destination.otherwise = Answer(500)
    first = await world.publish(deduplication_id="a", retries=0)
    await world.idle()
    status, answer = await world.http(
        "POST", f"/v2/publish/{world.destination.url}/elsewhere", "other", Upstash_Deduplication_Id="a"
    )
    assert (status, answer) == (202, {"messageId": first, "deduplicated": True})
    world.advance(598)
    response: Any = await world.ask(
        lambda sdk: sdk.message.publish(url=world.destination.url, deduplication_id="a")
    )
    assert (response.message_id, response.deduplicated) == (first, True)
    world.advance(3)
    assert await world.publish(deduplication_id="a", retries=0) != first
    await world.idle()
    assert len(world.destination.deliveries) == 2


async def test_equal_content_is_swallowed(world: World) -> None:
    async def publish(**options: Any) -> str:
        return await world.publish(content_based_deduplication=True, **options)

    same = {await publish(body="a", headers={"x": "1"}) for _ in range(2)}
    others = [
        await publish(body="b", headers={"x": "1"}),
        await publish(body="a", headers={"x": "2"}),
        await publish(body="a", headers={"x": "1"}, content_type="text/plain"),
        await publish(body="a", headers={"x": "1"}, url=f"{world.destination.url}/b"),
        await world.publish(body="a", headers={"x": "1"}, content_based_deduplication=False),
    ]
    assert len(same) == 1
    assert len(same.union(others)) == 6


async def test_the_sdk_sees_an_error(world: World) -> None:
    with pytest.raises(QStashError, match=r"status: 400.*DeduplicationId cannot contain ':'"):
        await world.publish(deduplication_id="a:b")


async def test_a_forwarded_content_type_goes_first(world: World) -> None:
    await world.publish(body="x", content_type="text/plain", headers={"content-type": "text/csv"})
    [delivery] = await world.destination.received(1)
    assert delivery.headers.getall("Content-Type") == ["text/csv"]
