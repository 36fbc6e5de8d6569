from typing import Any

import pytest
from qstash.dlq import DlqFilter, ListDlqMessagesResponse
from qstash.errors import QStashError

from tests.contract.world import Answer, World


async def fail(world: World, count: int, **options: Any) -> list[str]:
    """Dead letters, one after another; their ids."""
    for n in range(count):
        world.destination.answers.append(Answer(500, {"X-N": str(n)}, f"answer {n}".encode()))
        await world.publish(retries=0, body=f"body {n}", **options)
        await world.idle()
    _, page = await world.http("GET", "/v2/dlq")
    return [letter["dlqId"] for letter in page["messages"]]


async def test_a_letter_holds_message_and_response(world: World) -> None:
    [dlq_id] = await fail(world, 1, headers={"x-a": "1"}, label="mine", retry_delay="1000")
    letter = await world.ask(lambda sdk: sdk.dlq.get(dlq_id))
    assert (letter.body, letter.headers, letter.label) == ("body 0", {"X-A": ["1"]}, "mine")
    assert (letter.response_status, letter.response_body) == (500, "answer 0")
    assert letter.response_headers is not None
    assert letter.response_headers["X-N"] == ["0"]
    assert letter.retry_delay_expression == "1000"
    assert letter.dlq_id == dlq_id


async def test_pages(world: World) -> None:
    async def page_after(cursor: str | None) -> ListDlqMessagesResponse:
        return await world.ask(lambda sdk: sdk.dlq.list(cursor=cursor, count=2))

    ids = await fail(world, 5)
    seen: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        page = await page_after(cursor)
        seen += [letter.dlq_id for letter in page.messages]
        cursor = page.cursor
    assert seen == ids
    assert cursor is None


async def test_filters(world: World) -> None:
    async def found(given: DlqFilter) -> list[str]:
        page = await world.ask(lambda sdk: sdk.dlq.list(filter=given))
        return [letter.dlq_id for letter in page.messages]

    await fail(world, 1, label="a")
    await fail(world, 1, label="b", url=f"{world.destination.url}/b,c")
    page = await world.ask(lambda sdk: sdk.dlq.list())
    first, second = page.messages
    time = int(second.dlq_id.partition("-")[0])
    filters: list[tuple[DlqFilter, list[str]]] = [
        ({"label": "a"}, [first.dlq_id]),
        ({"message_id": second.message_id}, [second.dlq_id]),
        ({"url": f"{world.destination.url}/b,c"}, [second.dlq_id]),
        ({"from_time": time}, [second.dlq_id]),
        ({"to_time": time - 1}, [first.dlq_id] if not first.dlq_id.startswith(str(time)) else []),
        ({"response_status": 500}, [first.dlq_id, second.dlq_id]),
        ({"response_status": 404}, []),
        ({"queue": "q"}, []),
        ({"label": "a", "message_id": second.message_id}, []),
    ]
    for given, expected in filters:
        assert await found(given) == expected, given


async def test_delete_one(world: World) -> None:
    first, second = await fail(world, 2)
    await world.ask(lambda sdk: sdk.dlq.delete(first))
    with pytest.raises(QStashError, match="404"):
        await world.ask(lambda sdk: sdk.dlq.get(first))
    assert (await world.http("DELETE", f"/v2/dlq/{first}"))[0] == 404
    assert (await world.ask(lambda sdk: sdk.dlq.get(second))).dlq_id == second


async def test_delete_many(world: World) -> None:
    ids = await fail(world, 5)
    assert await world.ask(lambda sdk: sdk.dlq.delete_many([ids[0], "1-1"])) == 1
    assert await world.http("DELETE", f"/v2/dlq?dlqIds={ids[1]}&dlqIds={ids[2]}") == (200, {"deleted": 2})
    assert await world.ask(lambda sdk: sdk.dlq.delete_many([])) == 0
    assert await world.http("DELETE", "/v2/dlq?count=1") == (200, {"deleted": 1, "cursor": ids[3]})
    assert (await world.http("DELETE", "/v2/dlq?labeel=x"))[0] == 400
    assert (await world.http("DELETE", "/v2/dlq?host=x"))[0] == 400
    page = await world.ask(lambda sdk: sdk.dlq.list())
    assert [letter.dlq_id for letter in page.messages] == [ids[4]]


async def test_retry_one_with_other_headers(world: World) -> None:
    [dlq_id] = await fail(world, 1, headers={"x-a": "1", "x-b": "2"}, deduplication_id="d")
    status, answer = await world.http("POST", f"/v2/dlq/retry/{dlq_id}", Upstash_Forward_X_B="3")
    await world.idle()
    first, second = world.destination.deliveries
    assert status == 201
    assert second.headers["Upstash-Message-Id"] == answer["messageId"] != first.headers["Upstash-Message-Id"]
    assert (second.body, second.headers["X-A"], second.headers["X-B"]) == (b"body 0", "1", "3")
    assert (await world.http("POST", f"/v2/dlq/retry/{dlq_id}"))[0] == 404


async def test_retry_many(world: World) -> None:
    ids = await fail(world, 3)
    status, answer = await world.http("POST", f"/v2/dlq/retry?dlqIds={ids[0]},{ids[1]}&dlqIds=9-9")
    assert (status, answer["cursor"], len(answer["responses"])) == (201, "", 2)
    status, answer = await world.http("POST", "/v2/dlq/retry?responseStatus=500")
    assert (status, len(answer["responses"])) == (201, 1)
    await world.idle()
    assert (await world.ask(lambda sdk: sdk.dlq.list())).messages == []
    assert len(world.destination.deliveries) == 6
