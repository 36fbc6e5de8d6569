"""A state file: what a server was told is known to the next one, however the first one ended."""

import asyncio
import json
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from qstash import QStash

from infra.local.qstash import Plan, QStashServer
from infra.local.qstash.disk.file import Unreadable, Unwritable
from tests.contract.conftest import running
from tests.contract.world import PATIENCE, Answer, World

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def one_run(state: Path, **options: Any) -> AsyncIterator[World]:
    async with running(state=state, **options) as world:
        yield world
    world.server.close()


async def everything(world: World) -> dict[str, Any]:
    """All that the API shows."""
    paths = [
        "events", "dlq", "schedules", "queues", "topics", "flowControl", "keys", "bulkActions",
    ]  # fmt: skip
    shown = {path: (await world.http("GET", f"/v2/{path}"))[1] for path in paths}
    for message in world.server._pending():
        shown[message.id] = (await world.http("GET", f"/v2/messages/{message.id}"))[1]
    return shown


async def test_all_of_it_is_there_again(tmp_path: Path) -> None:
    state = tmp_path / "new folder/state.db"
    async with one_run(state, backoff_scale=0.0) as world:
        world.destination.otherwise = Answer(500, {"X-A": "1"}, b"\xff broken")
        await world.publish(url="http://127.0.0.1:1/gone", retries=0, failure_callback="http://127.0.0.1:1/f")
        await world.idle()
        await world.http("DELETE", "/v2/messages?label=none")
        await world.publish(
            url="http://127.0.0.1:1/later", body=b"\xff", headers={"x-a": "1"}, delay="1d", label="a,b", retries=2,
            callback="http://127.0.0.1:1/c", callback_headers={"Retries": "4"}, deduplication_id="d",
            flow_control={"key": "k", "rate": 5, "period": 60}, redact={"header": True}, retry_delay="pow(2, retried)",
        )  # fmt: skip
        await world.http("POST", "/v2/publish/http://127.0.0.1:1/x", b"", Upstash_Forward_X="\xff\xe9", Upstash_Delay="1d",
                         Upstash_Deduplication_Id="\xff")  # fmt: skip
        await world.ask(
            lambda sdk: sdk.url_group.upsert_endpoints("g", [{"url": "http://127.0.0.1:1/g", "name": "n"}])
        )
        await world.http("PATCH", "/v2/topics/g", '{"headers": {"Upstash-Retries": "1"}}')
        await world.ask(lambda sdk: sdk.queue.upsert("q", parallelism=2, paused=True))
        await world.http("POST", "/v2/enqueue/q/g", "x")
        await world.ask(lambda sdk: sdk.flow_control.pin("pinned", {"parallelism": 3}))
        await world.ask(lambda sdk: sdk.flow_control.pause("paused"))
        await world.ask(lambda sdk: sdk.signing_key.rotate())
        for schedule_id in ("s", "paused"):
            await world.http(
                "POST", "/v2/schedules/g", Upstash_Cron="CRON_TZ=Asia/Tokyo 0 0 1 1 *",
                Upstash_Schedule_Id=schedule_id, Upstash_Delay="2d",
            )  # fmt: skip
        await world.ask(lambda sdk: sdk.schedule.pause("paused"))
        await world.server.trigger("s")
        world.server.advance(5)
        before = await everything(world)
    async with one_run(state) as world:
        assert world.server.clock.ahead == 5
        after = await everything(world)
        assert after == before
        assert world.server.pending() == 4
        status, answer = await world.http(
            "POST", "/v2/publish/http://127.0.0.1:1/x", Upstash_Deduplication_Id="d"
        )
        assert (status, answer["deduplicated"]) == (202, True)


async def test_the_plan_of_then_holds(tmp_path: Path) -> None:
    """Neither lost nor changed where the next server has another plan."""
    async with one_run(tmp_path / "state.db", plan=Plan(max_retries=2, max_timeout=900)) as world:
        ids = [await world.publish(delay="1h"), await world.publish(delay="1h", retries=1, timeout=60)]
    async with one_run(tmp_path / "state.db", plan=Plan(max_retries=0, max_delay=1)) as world:
        messages = [(await world.http("GET", f"/v2/messages/{message_id}"))[1] for message_id in ids]
        assert [message["maxRetries"] for message in messages] == [2, 1]
        timeouts = [(await world.events(message_id))[0]["timeout"] for message_id in ids]
        assert timeouts == [900_000, 60_000]


async def test_what_waits_is_delivered_by_the_next_one(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    gate = asyncio.Event()
    async with one_run(state) as world:
        destination = world.destination
        destination.otherwise = Answer(gate=gate)
        for n in range(3):
            await world.http("POST", f"/v2/enqueue/q/{destination.url}/{n}")
        await destination.received(1)
        await world.publish(url=f"{destination.url}/delayed", delay="1h")
        host = destination.url.removeprefix("http://")
    async with one_run(state) as world:
        world.server.hosts.replace({host: world.destination.url})
        await world.destination.received(3)
        world.server.advance(3601)
        await world.idle()
        paths = [delivery.path for delivery in world.destination.deliveries]
        assert paths == ["/0", "/1", "/2", "/delayed"]
        _, page = await world.http("GET", "/v2/events?state=DELIVERED")
        assert len(page["events"]) == 4
        before = await everything(world)
    async with one_run(state) as world:
        assert await everything(world) == before
        assert world.server.pending() == 0


async def start_command(state: Path) -> tuple[asyncio.subprocess.Process, QStash]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "infra.local.qstash", "--port", "0", "--quiet", "--state", str(state),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(30):
        lines = [(await process.stdout.readline()).decode().strip() for _ in range(6)]
    settings = dict(line.split("=", 1) for line in lines[1:5])
    return process, QStash(settings["QSTASH_TOKEN"], base_url=settings["QSTASH_URL"], retry=False)


async def test_a_killed_server_has_lost_nothing_it_has_answered(tmp_path: Path) -> None:
    process, sdk = await start_command(tmp_path / "state.db")
    answered: list[str] = []
    enough = threading.Event()

    def publish_until_it_dies() -> None:
        while True:
            response: Any = sdk.message.publish(url="http://127.0.0.1:1/x", body="x" * 1000, delay="1h")
            answered.append(response.message_id)
            if len(answered) == 50:
                enough.set()

    publishing = asyncio.create_task(asyncio.to_thread(publish_until_it_dies))
    assert await asyncio.to_thread(enough.wait, PATIENCE)
    process.kill()
    await process.wait()
    with pytest.raises(Exception, match=r"refused|disconnected|reset"):
        await publishing
    sdk.http._client.close()
    process, sdk = await start_command(tmp_path / "state.db")
    for message_id in answered:
        message = await asyncio.to_thread(sdk.message.get, message_id)
        assert message.body == "x" * 1000
    sdk.http._client.close()
    process.terminate()
    await process.wait()


async def test_a_server_killed_amid_deliveries_makes_the_rest(tmp_path: Path, world: World) -> None:
    """Each at least once; those under way when it died again."""
    gate = asyncio.Event()
    world.destination.answers.extend([Answer()] * 50)
    world.destination.otherwise = Answer(gate=gate)
    process, sdk = await start_command(tmp_path / "state.db")
    batch: list[Any] = [{"url": world.destination.url, "body": str(number)} for number in range(300)]
    await asyncio.to_thread(sdk.message.batch, batch)
    await world.destination.received(100)
    process.kill()
    await process.wait()
    sdk.http._client.close()
    gate.set()
    process, sdk = await start_command(tmp_path / "state.db")
    wait = partial(sdk.http.request, path="/control/idle?timeout=10s", method="POST")
    assert await asyncio.to_thread(wait) == {"pending": 0}
    sdk.http._client.close()
    process.terminate()
    assert await process.wait() == 0
    came = Counter(delivery.body for delivery in world.destination.deliveries)
    assert came.keys() == {str(number).encode() for number in range(300)}
    assert max(came.values()) == 2
    assert sum(came.values()) < 500


def test_two_servers_cannot_share_a_file(tmp_path: Path) -> None:
    first = QStashServer(state=tmp_path / "state.db")
    with pytest.raises(Unreadable, match=r"cannot use .*state.db: another server uses it"):
        QStashServer(state=tmp_path / "state.db")
    first.close()
    QStashServer(state=tmp_path / "state.db").close()


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("notes " * 1000)
    with pytest.raises(Unreadable, match="file is not a database"):
        QStashServer(state=text)
    assert text.read_text() == "notes " * 1000
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE theirs (id)")
    database.close()
    with pytest.raises(Unreadable, match="it is no state file, or that of another version"):
        QStashServer(state=other)
    with pytest.raises(Unreadable, match="cannot use"):
        QStashServer(state=tmp_path)


def fill_disk(world: World) -> Callable[[], object]:
    """Take all room from the state file; what is returned gives it back."""
    journal: Any = world.server._journal
    journal._database.execute("PRAGMA max_page_count = 1")
    return partial(journal._database.execute, "PRAGMA max_page_count = 100000")


async def test_nothing_that_a_full_disk_refuses_is_kept(tmp_path: Path) -> None:
    large = json.dumps("x" * 100_000)
    async with one_run(tmp_path / "state.db") as world:
        url = world.destination.url
        await world.http(
            "POST", f"/v2/schedules/{url}/old", Upstash_Cron="0 0 1 1 *", Upstash_Schedule_Id="s"
        )
        await world.http("POST", "/v2/publish/http://127.0.0.1:1/gone", large, Upstash_Retries="0")
        await world.idle()
        before = await everything(world)
        letter = before["dlq"]["messages"][0]["dlqId"]
        make_room = fill_disk(world)
        item = {"destination": url, "queue": "q", "body": large}
        cron = {"Upstash_Cron": "* * * * *"}
        for path, body, headers in (
            (f"/v2/publish/{url}/x", large, {"Upstash_Deduplication_Id": "d"}),
            ("/v2/batch", json.dumps([item, item]), {}),
            (f"/v2/schedules/{url}/new", large, cron | {"Upstash_Schedule_Id": "s"}),
            (f"/v2/schedules/{url}/new", large, cron | {"Upstash_Schedule_Id": "t"}),
            (f"/v2/dlq/retry/{letter}", "", {"Upstash_Forward_X": "x" * 200_000}),
        ):
            status, answer = await world.http("POST", path, body, **headers)
            assert (path, status, "database or disk is full" in answer["error"]) == (path, 503, True)
            make_room()
            assert (path, await everything(world)) == (path, before)
            fill_disk(world)
        make_room()
        status, answer = await world.http("POST", f"/v2/publish/{url}/y", large, Upstash_Deduplication_Id="d")
        assert (status, "deduplicated" in answer) == (200, False), "a refused one repeats nothing"
        await world.idle()
        assert [each.path for each in world.destination.deliveries] == ["/y"]
    async with one_run(tmp_path / "state.db") as world:
        assert [each["scheduleId"] for each in (await everything(world))["schedules"]] == ["s"]
        assert (world.server.pending(), len((await everything(world))["dlq"]["messages"])) == (0, 1)


async def test_what_came_before_a_refused_request_is_kept(tmp_path: Path) -> None:
    async with one_run(tmp_path / "state.db") as world:
        url = world.destination.url
        await world.http(
            "POST", f"/v2/schedules/{url}/tick", Upstash_Cron="* * * * *", Upstash_Schedule_Id="s"
        )
        make_room = fill_disk(world)
        world.advance(60)
        await world.destination.received(1)
        assert (await world.http("POST", f"/v2/publish/{url}/x", "x" * 100_000))[0] == 503
        make_room()
        await world.idle()
        assert {each.path for each in world.destination.deliveries} == {"/tick"}
        logged = (await everything(world))["events"]["events"]
        assert {each["url"] for each in logged} == {f"{url}/tick"}
        assert "DELIVERED" in {each["state"] for each in logged}


async def run_command(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "infra.local.qstash", *arguments,
        cwd=ROOT, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    return process.returncode, said.decode().strip()


async def test_the_command_says_what_is_wrong(tmp_path: Path, world: World) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("notes " * 1000)
    port = world.server.url.rpartition(":")[2]
    unreadable, taken, foreign, impossible = await asyncio.gather(
        run_command("--port", "0", "--state", str(notes)),
        run_command("--port", port),
        run_command("--port", "0", "--host", "192.0.2.1"),
        run_command("--port", "65536"),
    )
    assert unreadable == (1, f"cannot use {notes}: file is not a database")
    assert taken == (1, f"cannot listen on 127.0.0.1:{port}: Address already in use")
    assert foreign == (1, "cannot listen on 192.0.2.1:0: Cannot assign requested address")
    assert impossible[0] == 2
    assert impossible[1].endswith("'65536' is no port")


async def test_a_stop_on_a_full_disk_says_so(tmp_path: Path) -> None:
    server = QStashServer(port=0, state=tmp_path / "state.db")
    await server.start()
    journal: Any = server._journal
    journal._database.execute("PRAGMA max_page_count = 1")
    for number in range(1000):
        server.accounts[server.token].groups.set_headers(f"group-{number}", {"X": ["x" * 100]})
    with pytest.raises(Unwritable, match="database or disk is full"):
        await server.stop()
    journal._database.execute("PRAGMA max_page_count = 100000")
    server.close()
    after = QStashServer(state=tmp_path / "state.db")
    assert len(after.accounts[after.token].groups.all()) == 1000
    after.close()
