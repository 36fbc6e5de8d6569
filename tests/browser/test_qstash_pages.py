"""The local QStash's pages: what happens appears by itself, and a click does what it says."""

import asyncio
import http.client
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from infra.local.qstash.accounts import IDENTITIES
from tests.contract.conftest import running
from tests.contract.world import Answer, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVIL = "<script>window.evil = 1</script><img src=x onerror='window.evil = 1'>\"'"


@pytest_asyncio.fixture(loop_scope="session")
async def world() -> AsyncIterator[World]:
    async with running() as world:
        yield world


async def open_page(page: Page, world: World, path: str = "/") -> None:
    await page.goto(world.server.url + path)


async def click(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def test_messages_appear_by_themselves(page: Page, world: World) -> None:
    await open_page(page, world)
    await expect(page.get_by_text("No message yet")).to_be_visible()
    world.destination.answers.append(Answer(503, {"X-Why": "busy"}, b"come back later"))
    message_id = await world.publish(
        url=f"{world.destination.url}/send", body='{"a": 1}', headers={"x-tenant": "acme"}, label="welcome"
    )
    row = page.locator(f"#{message_id}")
    await expect(row).to_contain_text("RETRY")
    await expect(row).to_contain_text("welcome")
    await row.click()
    await expect(page.get_by_role("heading", name="/send")).to_be_visible()
    attempt = page.locator("#attempt-0")
    await expect(attempt).to_contain_text("X-Tenant")
    await expect(attempt).to_contain_text(world.destination.deliveries[0].headers["Upstash-Signature"])
    await expect(attempt).to_contain_text("come back later")
    await expect(attempt).to_contain_text("X-Why")
    await expect(page.locator("pre").first).to_have_text('{"a": 1}')
    await click(page, "Send now")
    await expect(page.get_by_role("heading", name="/send")).to_contain_text("DELIVERED")
    await expect(page.locator("#attempt-1")).to_contain_text("200")
    assert len(world.destination.deliveries) == 2
    await expect(page.locator("#live")).to_contain_text("0 pending")


async def test_cancel(page: Page, world: World) -> None:
    message_id = await world.publish(delay="1h")
    await open_page(page, world)
    await click(page, "Cancel")
    await expect(page.get_by_role("status").filter(has_text="Message cancelled")).to_be_visible()
    await expect(page.locator(f"#{message_id}")).to_contain_text("CANCELED")
    assert [event["state"] for event in await world.events(message_id)][-1] == "CANCELED"
    assert world.server.pending() == 0


async def test_dead_letters_are_retried_and_deleted(page: Page, world: World) -> None:
    world.destination.otherwise = Answer(500, body=b"broken")
    for n in range(4):
        await world.publish(url=f"{world.destination.url}/{n}", retries=0)
        await world.idle()
    world.destination.otherwise = Answer(200)
    await open_page(page, world, "/dead-letters")
    rows = page.locator(".rows > li")
    await expect(rows).to_have_count(4)
    await rows.filter(has_text="/3").locator("summary").click()
    await expect(rows.filter(has_text="/3").locator("pre")).to_have_text("broken")
    await rows.filter(has_text="/3").get_by_role("button", name="Retry").click()
    await expect(rows).to_have_count(3)
    await rows.filter(has_text="/2").get_by_role("button", name="Delete").click()
    await expect(rows).to_have_count(2)
    await click(page, "Retry all 2")
    await expect(page.get_by_text("No dead letters")).to_be_visible()
    await world.idle()
    assert sorted(delivery.path for delivery in world.destination.deliveries[4:]) == ["/0", "/1", "/3"]


async def test_queues_schedules_and_keys_are_paused(page: Page, world: World) -> None:
    await world.ask(lambda sdk: sdk.queue.upsert("orders"))
    await world.publish(flow_control={"key": "a/b & c", "parallelism": 1})
    await world.ask(
        lambda sdk: sdk.schedule.create(
            destination=world.destination.url, cron="0 0 1 1 *", schedule_id="yearly"
        )
    )
    await world.idle()

    async def state() -> tuple[bool, bool, bool]:
        queue = await world.ask(lambda sdk: sdk.queue.get("orders"))
        schedule = await world.ask(lambda sdk: sdk.schedule.get("yearly"))
        _, key = await world.http("GET", f"/v2/flowControl/{quote('a/b & c')}")
        return queue.paused, schedule.paused, key["isPaused"]

    for verb, expected in (("Pause", True), ("Resume", False)):
        for path in ("/queues", "/schedules", "/flow-control"):
            await open_page(page, world, path)
            await click(page, verb)
            await expect(page.locator(".notice")).to_contain_text(verb.lower())
        assert await state() == (expected, expected, expected)
    await open_page(page, world, "/schedules")
    await click(page, "Fire now")
    await expect(page.locator(".rows")).to_contain_text("DELIVERED")
    assert world.destination.deliveries[-1].headers["Upstash-Schedule-Id"] == "yearly"


async def test_everything_is_escaped(page: Page, world: World) -> None:
    world.destination.otherwise = Answer(500, {"X-Evil": EVIL}, EVIL.encode())
    await world.publish(body=EVIL, headers={"x-evil": EVIL}, label=EVIL, retries=0, deduplication_id=EVIL)
    await world.idle()
    await world.publish(body=b"\xff\x00", flow_control={"key": EVIL, "parallelism": 1}, delay=60)
    await world.http(
        "POST", f"/v2/publish/{world.destination.url}", Upstash_Forward_X="\xff", Upstash_Delay="1h"
    )
    await world.ask(
        lambda sdk: sdk.url_group.upsert_endpoints("g", [{"url": f"http://a.b/{quote('<script>')}<script>"}])
    )
    await world.ask(lambda sdk: sdk.schedule.create(destination="g", cron="0 0 1 1 *", label=EVIL))
    [letter] = (await world.ask(lambda sdk: sdk.dlq.list())).messages
    ids = [letter.message_id, *(message.id for message in world.server._pending())]
    for path in (
        "/", *(f"/messages/{message_id}" for message_id in ids), "/dead-letters", "/schedules", "/queues", "/flow-control",
        "/url-groups", f"/?search={quote(EVIL)}", f"/?notice={quote(EVIL)}",
    ):  # fmt: skip
        await open_page(page, world, path)
        assert await page.evaluate("window.evil") is None, path
    await open_page(page, world, f"/messages/{ids[0]}")
    await expect(page.locator("pre").first).to_have_text(EVIL)


async def test_redacted_fields_are_not_shown(page: Page, world: World) -> None:
    message_id = await world.publish(
        body="secret", headers={"x-key": "private"}, redact={"body": True, "header": ["X-Key"]}
    )
    await world.idle()
    await open_page(page, world, f"/messages/{message_id}")
    shown = await page.content()
    assert shown.count("REDACTED:") == 3, "the body, and the header of the message and of its attempt"
    assert "secret" not in shown
    assert "private" not in shown


async def test_what_was_opened_stays_open(page: Page, world: World) -> None:
    world.destination.answers.extend(Answer(500) for _ in range(2))
    message_id = await world.publish(retries=2, retry_delay="3600000 * retried")
    await world.destination.received(2)
    await open_page(page, world, f"/messages/{message_id}")
    await expect(page.locator("#attempt-1")).to_have_attribute("open", "")
    await page.locator("#attempt-0 summary").click()
    world.advance(3601)
    await expect(page.locator("#attempt-2")).to_be_visible()
    await expect(page.locator("#attempt-0")).to_have_attribute("open", "")


async def test_users_and_searching(page: Page, world: World) -> None:
    mine = await world.publish(url=f"{world.destination.url}/mine", label="x")
    other = await world.publish(url=f"{world.destination.url}/other")
    await world.http("POST", f"/v2/publish/{world.destination.url}/theirs", token=IDENTITIES[1].token)
    await open_page(page, world)
    await expect(page.locator(".rows > li")).to_have_count(2)
    await page.get_by_role("searchbox").fill("/mine")
    await page.keyboard.press("Enter")
    await expect(page.locator(".rows > li")).to_have_count(1)
    await expect(page.locator(f"#{mine}")).to_be_visible()
    await page.get_by_role("link", name="failed").click()
    await expect(page.get_by_text("No such message")).to_be_visible()
    await page.get_by_role("link", name="testUser1").click()
    await expect(page.locator(".rows > li")).to_have_count(1)
    await expect(page.locator(".rows")).to_contain_text("/theirs")
    status = (await page.request.get(f"{world.server.url}/messages/{other}?user=testUser1")).status
    assert status == 404


@pytest.mark.parametrize("width", [360, 1280])
async def test_nothing_sticks_out(page: Page, world: World, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    world.destination.otherwise = Answer(500, {"X-Long": "y" * 400}, b"z" * 5000)
    long = f"{world.destination.url}/{'long' * 100}"
    message_id = await world.publish(url=long, retries=0, label="l" * 80, headers={"x-long": "x" * 400})
    await world.ask(lambda sdk: sdk.queue.upsert("q" * 200))
    await world.ask(lambda sdk: sdk.schedule.create(destination=long, cron="0 0 1 1 *"))
    await world.ask(lambda sdk: sdk.url_group.upsert_endpoints("g" * 200, [{"url": long}]))
    await world.http("POST", f"/v2/flowControl/{'k' * 300}/pause")
    await world.idle()
    for path in (
        "/", f"/messages/{message_id}", "/dead-letters", "/schedules", "/queues", "/flow-control", "/url-groups",
    ):  # fmt: skip
        await open_page(page, world, path)
        over = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert over == 0, path
        for tab in await page.locator("[aria-current=page]").all():
            box = await tab.bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= width, path


async def test_strangers_can_do_nothing(world: World) -> None:
    """Another website in the same browser, and a name that was pointed at this machine."""
    message_id = await world.publish(delay=60)
    form = f"id={message_id}&back=//evil.example"
    own: Any = world.server.url
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
        status, answer = await world.http("POST", "/actions/cancel", form, token="", **headers)
        assert status == 403, answer
    assert (await world.http("GET", "/", token="", Host="evil.example:8080"))[0] == 403
    assert world.server.pending() == 1
    assert (await world.http("POST", "/actions/explode", form, token="", Origin=own))[0] == 404
    assert (await world.http("GET", "/actions/cancel", token=""))[0] == 405
    status, location = await asyncio.to_thread(_post, own, "/actions/cancel", form)
    assert (status, location) == (303, "/?notice=Message+cancelled")
    status, location = await asyncio.to_thread(_post, own, "/actions/cancel", form)
    assert (status, location) == (303, "/?notice=This+message+is+over")
    assert world.server.pending() == 0


def _post(server: str, path: str, form: str) -> tuple[int, str | None]:
    connection = http.client.HTTPConnection(server.removeprefix("http://"), timeout=10)
    try:
        connection.request("POST", path, form, {"Origin": server})
        response = connection.getresponse()
        return response.status, response.getheader("Location")
    finally:
        connection.close()
