import base64
from typing import Any

import pytest
from qstash.log import ListLogsResponse, LogState

from tests.contract.world import Answer, World


async def test_the_sdk_reads_the_log(world: World) -> None:
    world.destination.answers.append(Answer(500, {"X-A": "1"}, b"broken"))
    message_id = await world.publish(
        body="b", retries=1, retry_delay="1000", label="mine", timeout=30, callback="http://127.0.0.1:1/c",
        flow_control={"key": "k", "rate": 100},
    )  # fmt: skip
    await world.idle()
    page = await world.ask(lambda sdk: sdk.log.list(filter={"message_id": message_id}))
    logs = list(reversed(page.logs))
    assert [log.state.value for log in logs] == ["CREATED", "ACTIVE", "ERROR", "RETRY", "ACTIVE", "DELIVERED"]
    error = logs[2]
    assert (error.response_status, error.response_body) == (500, "broken")
    assert error.error == "the destination answered with status 500"
    assert error.retry_delay_expression == "1000"
    assert error.body_base64 == base64.b64encode(b"b").decode()
    assert (error.timeout, error.max_retries, error.label) == (30_000, 1, "mine")
    assert error.flow_control is not None
    assert logs[-1].error is None
    assert page.cursor is None


async def test_both_paths_and_both_keys(world: World) -> None:
    await world.publish()
    await world.idle()
    _, events = await world.http("GET", "/v2/events")
    _, logs = await world.http("GET", "/v2/logs")
    assert events == logs
    assert events["events"] == events["logs"]
    assert [event["state"] for event in events["events"]] == ["DELIVERED", "ACTIVE", "CREATED"]


async def test_pages_are_newest_first(world: World) -> None:
    async def page_after(cursor: str | None) -> ListLogsResponse:
        return await world.ask(lambda sdk: sdk.log.list(cursor=cursor, count=4))

    for _ in range(3):
        await world.publish()
    await world.idle()
    everything = (await world.ask(lambda sdk: sdk.log.list())).logs
    seen: list[Any] = []
    cursor: str | None = None
    for _ in range(3):
        page = await page_after(cursor)
        seen += page.logs
        cursor = page.cursor
    assert seen == everything
    assert len(seen) == 9
    assert cursor is None


async def test_filters(world: World) -> None:
    one = await world.publish(label="a", url=f"{world.destination.url}/one")
    await world.idle()
    world.advance(10)
    later = int(world.clock() * 1000)
    two = await world.publish(label="b", delay=60)

    async def found(given: Any) -> set[str]:
        return {log.message_id for log in (await world.ask(lambda sdk: sdk.log.list(filter=given))).logs}

    assert await found({"label": "a"}) == {one}
    assert await found({"url": f"{world.destination.url}/one"}) == {one}
    assert await found({"message_ids": [one, two]}) == {one, two}
    assert await found({"message_ids": [two]}) == {two}
    assert await found({"from_time": later}) == {two}
    assert await found({"to_time": later - 1}) == {one}
    assert await found({"state": LogState.DELIVERED}) == {one}
    assert await found({"state": LogState.IN_PROGRESS}) == {one}
    assert await found({"queue": "q"}) == set()
    _, answer = await world.http("GET", "/v2/events?state=IN_PROGRESS&unknown=1")
    assert [event["state"] for event in answer["events"]] == ["ACTIVE"]


@pytest.mark.parametrize("query", ["state=CANCELLED", "count=x", "count=0", "cursor=x", "fromDate=yesterday"])
async def test_bad_queries(world: World, query: str) -> None:
    status, answer = await world.http("GET", f"/v2/events?{query}")
    assert status == 400
    assert "invalid" in answer["error"]
