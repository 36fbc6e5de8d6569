import base64
import hashlib
import json
from typing import Any

import pytest

from tests.contract.world import Answer, World, verify


def hashed(text: str) -> str:
    return f"REDACTED:{hashlib.sha256(text.encode()).hexdigest()}"


async def test_what_is_redacted_is_delivered_and_nowhere_shown(world: World) -> None:
    world.destination.otherwise = Answer(500)
    message_id = await world.publish(
        body="secret", headers={"x-key": "private", "x-open": "1"}, retries=0,
        redact={"body": True, "header": ["X-Key"]}, callback=f"{world.destination.url}/callback",
    )  # fmt: skip
    await world.idle()
    delivery = world.destination.to("/")[0]
    assert (delivery.body, delivery.headers["X-Key"]) == (b"secret", "private")
    verify(world, delivery, world.destination.url)
    page = await world.ask(lambda sdk: sdk.dlq.list(filter={"message_id": message_id}))
    [letter] = page.messages
    shown = {"X-Key": [hashed("private")], "X-Open": ["1"]}
    assert (letter.body, letter.headers) == (hashed("secret"), shown)
    for event in await world.events(message_id):
        assert (event["body"], event["header"]) == (hashed("secret"), shown)
    # The callback's own message holds the original, in its body only.
    report = json.loads(world.destination.to("/callback")[0].body)
    assert base64.b64decode(report["sourceBody"]) == b"secret"
    everything = json.dumps([await world.http("GET", path) for path in ("/v2/events", "/v2/dlq")])
    for secret in ("secret", "private"):
        assert secret not in everything
        assert base64.b64encode(secret.encode()).decode() not in everything


async def test_a_retried_dead_letter_is_delivered_whole(world: World) -> None:
    world.destination.answers.append(Answer(500))
    await world.publish(body="secret", retries=0, redact={"body": True})
    await world.idle()
    page = await world.ask(lambda sdk: sdk.dlq.list())
    await world.http("POST", f"/v2/dlq/retry/{page.messages[0].dlq_id}")
    await world.idle()
    assert [delivery.body for delivery in world.destination.deliveries] == [b"secret", b"secret"]


async def test_schedules_and_their_messages(world: World) -> None:
    await world.ask(
        lambda sdk: sdk.schedule.create(
            destination=world.destination.url, cron="0 0 1 1 *", schedule_id="s", body="secret",
            headers={"a": "1"}, redact={"header": True}, delay=60,
        )
    )  # fmt: skip
    schedule = await world.ask(lambda sdk: sdk.schedule.get("s"))
    assert (schedule.body, schedule.headers) == ("secret", {"A": [hashed("1")]})
    message_id = await world.server.trigger("s")
    message = await world.ask(lambda sdk: sdk.message.get(message_id))
    assert message.headers == {"A": [hashed("1")]}


@pytest.mark.parametrize(
    ("fields", "body", "headers"),
    [
        ("body, headers", True, True),
        ("header[x-a],header[X-B]", False, True),
        ("headers[X-A]", False, True),
        ("headers[X-C]", False, False),
        (" body ", True, False),
    ],
)
async def test_spellings(world: World, fields: str, body: bool, headers: bool) -> None:
    _, answer = await world.http(
        "POST", f"/v2/publish/{world.destination.url}", "b", Upstash_Redact_Fields=fields, Upstash_Delay="1m",
        Upstash_Forward_X_A="1",
    )  # fmt: skip
    shown: Any = (await world.http("GET", f"/v2/messages/{answer['messageId']}"))[1]
    assert shown["body"] == (hashed("b") if body else "b")
    assert shown["header"]["X-A"] == [hashed("1") if headers else "1"]


async def test_an_unknown_field(world: World) -> None:
    assert await world.http(
        "POST", f"/v2/publish/{world.destination.url}", Upstash_Redact_Fields="body,url"
    ) == (
        400,
        {
            "error": "invalid Upstash-Redact-Fields header: unexpected 'url', it takes body, header and header[Name]"
        },
    )
