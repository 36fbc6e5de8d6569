import base64
import json
from typing import Any

import pytest

from tests.contract.world import Answer, Delivery, World, verify


def report(delivery: Delivery) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(delivery.body)
    return body


async def test_a_callback_after_every_attempt(world: World) -> None:
    world.destination.answers.append(Answer(500, {"X-Why": "broken"}, b"first"))
    callback = f"{world.destination.url}/callback"
    world.destination.otherwise = Answer(200, body=b"ok")
    message_id = await world.publish(
        url=f"{world.destination.url}/work?x=1",
        body="question",
        headers={"x-a": "1"},
        retries=1,
        callback=callback,
    )
    await world.idle()
    reports = sorted(
        (report(delivery) for delivery in world.destination.to("/callback")), key=lambda r: r["retried"]
    )
    assert [(r["status"], r["retried"], base64.b64decode(r["body"])) for r in reports] == [
        (500, 0, b"first"),
        (200, 1, b"ok"),
    ]
    for r in reports:
        assert r["sourceMessageId"] == message_id
        assert base64.b64decode(r["sourceBody"]) == b"question"
        assert (r["url"], r["method"], r["maxRetries"]) == (f"{world.destination.url}/work?x=1", "POST", 1)
        assert r["sourceHeader"] == {"X-A": ["1"]}
        assert r["createdAt"].isdigit()
        assert r["notBefore"].isdigit()
        assert "dlqId" not in r
    assert reports[0]["header"]["X-Why"] == ["broken"]


async def test_callbacks_are_signed_messages_of_their_own(world: World) -> None:
    callback = f"{world.destination.url}/callback?c=1"
    message_id = await world.publish(url=f"{world.destination.url}/work", callback=callback)
    await world.idle()
    [delivery] = world.destination.to("/callback?c=1")
    verify(world, delivery, callback)
    assert delivery.headers["Upstash-Message-Id"] != message_id
    assert delivery.headers["Content-Type"] == "application/json"
    assert delivery.headers["Upstash-Retried"] == "0"


async def test_a_failure_callback_tells_the_dead_letter(world: World) -> None:
    world.destination.answers.extend(
        [Answer(500), Answer(489, {"Upstash-NonRetryable-Error": "true"}, b"gone")]
    )
    callback = f"{world.destination.url}/failure"
    message_id = await world.publish(
        url=f"{world.destination.url}/work", body="x", retries=5, failure_callback=callback
    )
    await world.idle()
    [delivery] = world.destination.to("/failure")
    verify(world, delivery, callback)
    page = await world.ask(lambda sdk: sdk.dlq.list())
    r = report(delivery)
    assert (r["status"], base64.b64decode(r["body"]), r["retried"], r["maxRetries"]) == (489, b"gone", 1, 5)
    assert (r["sourceMessageId"], r["dlqId"]) == (message_id, page.messages[0].dlq_id)


async def test_no_failure_callback_after_success(world: World) -> None:
    world.destination.answers.append(Answer(500))
    await world.publish(retries=1, failure_callback=f"{world.destination.url}/failure")
    await world.idle()
    assert not world.destination.to("/failure")


async def test_without_a_response_the_status_is_zero(world: World) -> None:
    await world.publish(
        url="http://127.0.0.1:1/", retries=0, failure_callback=f"{world.destination.url}/failure"
    )
    await world.idle()
    r = report(world.destination.to("/failure")[0])
    assert (r["status"], r["header"]) == (0, {})
    assert b"cannot deliver" in base64.b64decode(r["body"])


async def test_callbacks_are_configured_by_their_own_headers(world: World) -> None:
    world.destination.answers.append(Answer(200))
    world.destination.otherwise = Answer(500)
    await world.publish(
        url=f"{world.destination.url}/work",
        retries=0,
        callback=f"{world.destination.url}/callback",
        callback_headers={"Forward-X-Foo": "1", "Retries": "2", "Method": "PUT", "X-Bar": "lost"},
    )
    await world.idle()
    calls = world.destination.to("/callback")
    assert [(call.method, call.headers["X-Foo"], call.headers["Upstash-Retried"]) for call in calls] == [
        ("PUT", "1", "0"), ("PUT", "1", "1"), ("PUT", "1", "2"),
    ]  # fmt: skip
    assert "X-Bar" not in calls[0].headers


async def test_callbacks_take_over_the_retries_and_become_dead_letters(world: World) -> None:
    world.destination.otherwise = Answer(500)
    await world.publish(
        url=f"{world.destination.url}/work", retries=1, failure_callback=f"{world.destination.url}/failure"
    )
    await world.idle()
    assert len(world.destination.to("/failure")) == 2
    page = await world.ask(lambda sdk: sdk.dlq.list())
    assert [letter.url.rpartition("/")[2] for letter in page.messages] == ["work", "failure"]


async def test_a_callback_may_have_a_failure_callback(world: World) -> None:
    world.destination.answers.append(Answer(200))
    world.destination.answers.append(Answer(500))
    await world.publish(
        url=f"{world.destination.url}/work",
        retries=0,
        callback=f"{world.destination.url}/callback",
        callback_headers={"Failure-Callback": f"{world.destination.url}/nested"},
    )
    await world.idle()
    assert len(world.destination.to("/nested")) == 1


async def test_a_replayed_letter_reports_again(world: World) -> None:
    world.destination.answers.append(Answer(500))
    await world.publish(
        url=f"{world.destination.url}/work", retries=0, callback=f"{world.destination.url}/callback"
    )
    await world.idle()
    page = await world.ask(lambda sdk: sdk.dlq.list())
    await world.http("POST", f"/v2/dlq/retry/{page.messages[0].dlq_id}")
    await world.idle()
    assert [report(delivery)["status"] for delivery in world.destination.to("/callback")] == [500, 200]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("Upstash-Callback", "callback", "url group callback not found"),
        ("Upstash-Failure-Callback", "ftp://x", "invalid destination url: endpoint has invalid scheme, add http:// or https://"),
        ("Upstash-Callback-Retries", "many", "invalid Upstash-Retries header: 'many' is not a whole number"),
        ("Upstash-Callback-Delay", "5s", "invalid Upstash-Callback-Delay header: delayed callbacks are not supported"),
    ],
)  # fmt: skip
async def test_bad_callbacks_are_refused_at_publish(world: World, name: str, value: str, text: str) -> None:
    headers = {"Upstash-Callback": world.destination.url, name: value}
    status, answer = await world.http("POST", f"/v2/publish/{world.destination.url}", "x", **headers)
    assert (status, answer["error"]) == (404 if "not found" in text else 400, text)
    assert world.server.pending() == 0
