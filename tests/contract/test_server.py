import ast
import asyncio
import base64
import hashlib
import json
import random
import re
import shutil
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
from qstash import QStash, Receiver
from qstash.errors import QStashError, SignatureError

from infra.local.qstash import QStashServer
from infra.local.qstash.accounts import IDENTITIES
from infra.local.qstash.delivery.lanes import MOST_PER_DESTINATION
from infra.local.qstash.store import MOST_FINISHED
from shared import signature
from shared.errors import InvalidSignature
from tests.contract.conftest import Build
from tests.contract.world import PATIENCE, Answer, World, verify

FOLDER = Path(__file__).parents[2] / "infra/local/qstash"


async def test_keys_roll(world: World) -> None:
    old_current, old_next = world.server.current_signing_key, world.server.next_signing_key
    keys = await world.ask(lambda sdk: sdk.signing_key.get())
    assert (keys.current, keys.next) == (old_current, old_next)
    rotated = await world.ask(lambda sdk: sdk.signing_key.rotate())
    assert rotated.current == old_next == world.server.current_signing_key
    assert rotated.next == world.server.next_signing_key not in (old_current, old_next)
    assert re.fullmatch(r"sig_\w{28}", rotated.next)
    await world.publish(body="x")
    [delivery] = await world.destination.received(1)
    verify(world, delivery, world.destination.url)
    token = delivery.headers["Upstash-Signature"]
    Receiver(old_current, old_next).verify(signature=token, body="x", url=world.destination.url)
    with pytest.raises(SignatureError):
        Receiver(old_current, "other").verify(signature=token, body="x", url=world.destination.url)
    with pytest.raises(SignatureError):
        Receiver(old_current, old_next).verify(signature=token, body="y", url=world.destination.url)


async def test_a_signature_is_valid_from_now_by_the_servers_clock(world: World) -> None:
    world.advance(-3600)
    await world.publish(body="x")
    [delivery] = await world.destination.received(1)
    token = delivery.headers["Upstash-Signature"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert abs(claims["nbf"] - world.clock()) < PATIENCE
    assert (claims["nbf"], claims["exp"]) == (claims["iat"], claims["iat"] + 300)
    check = partial(
        signature.verify, token, body=b"x", url=world.destination.url, keys=[world.server.current_signing_key]
    )
    for fits in (claims["nbf"] - 60, claims["exp"] + 60):
        check(now=fits)
    for too_far in (claims["nbf"] - 61, claims["exp"] + 61):
        with pytest.raises(InvalidSignature):
            check(now=too_far)


async def test_each_user_has_a_world_of_its_own(world: World) -> None:
    mine = await world.publish(delay=60, deduplication_id="d")
    for identity in IDENTITIES[1:]:
        status, keys = await world.http("GET", "/v2/keys", token=identity.token)
        assert (status, keys) == (200, {"current": identity.current_key, "next": identity.next_key})
        assert (await world.http("GET", f"/v2/messages/{mine}", token=identity.token))[0] == 404
        status, _ = await world.http(
            "POST", f"/v2/publish/{world.destination.url}", token=identity.token, Upstash_Deduplication_Id="d"
        )
        assert status == 200
    await world.destination.received(3)
    assert world.server.token == IDENTITIES[0].token


async def test_a_slow_destination_holds_up_nobody(world: World) -> None:
    gate = asyncio.Event()
    world.destination.answers.extend(Answer(gate=gate) for _ in range(50))
    for _ in range(50):
        await world.publish(url=f"{world.destination.url}/slow")
    await world.destination.received(50)
    await world.publish(url=f"{world.destination.url}/quick")
    await world.destination.received(51)
    assert world.server.pending() >= 50
    gate.set()
    await world.idle()
    assert world.destination.most_open >= 50


async def test_a_host_that_hangs_holds_up_no_other(world: World) -> None:
    """More deliveries than one host may have open: those for another go on, and the rest follow."""
    gate = asyncio.Event()
    world.destination.otherwise = Answer(gate=gate)
    other = world.destination.url.replace("127.0.0.1", "localhost")
    items = [{"destination": f"{world.destination.url}/slow"}] * (MOST_PER_DESTINATION + 50)
    await world.http("POST", "/v2/batch", json.dumps(items))
    await world.destination.received(MOST_PER_DESTINATION)
    world.destination.otherwise = Answer()
    await world.publish(url=f"{other}/quick")
    await world.destination.received(MOST_PER_DESTINATION + 1)
    assert len(world.destination.to("/slow")) == MOST_PER_DESTINATION
    states = (await world.http("GET", "/v2/events?state=ACTIVE"))[1]["events"]
    assert len(states) == MOST_PER_DESTINATION + 1, "who waits for a place is not active yet"
    gate.set()
    await world.idle()
    assert len(world.destination.to("/slow")) == MOST_PER_DESTINATION + 50


async def test_ten_megabytes_arrive_as_they_were(world: World) -> None:
    body = random.Random(1).randbytes(10 * 2**20)
    world.destination.otherwise = Answer(500, body=body[: 2**20])
    status, answer = await world.http(
        "POST", f"/v2/publish/{world.destination.url}", body, Upstash_Retries="0"
    )
    await world.idle()
    [delivery] = world.destination.deliveries
    assert (status, delivery.body == body) == (200, True)
    claims = jwt.decode(delivery.headers["Upstash-Signature"], options={"verify_signature": False})
    assert claims["body"] == base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode()
    _, page = await world.http("GET", "/v2/dlq")
    [letter] = page["messages"]
    assert (letter["messageId"], base64.b64decode(letter["bodyBase64"]) == body) == (
        answer["messageId"],
        True,
    )
    assert base64.b64decode(letter["responseBodyBase64"]) == body[: 2**20]


async def test_a_stop_loses_nothing(world: World) -> None:
    gate = asyncio.Event()
    world.destination.answers.append(Answer(gate=gate))
    open_id = await world.publish(
        url=f"{world.destination.url}/open", flow_control={"key": "k", "parallelism": 1}
    )
    await world.destination.received(1)
    await world.publish(url=f"{world.destination.url}/waiting", flow_control={"key": "k", "parallelism": 1})
    await world.publish(url=f"{world.destination.url}/delayed", delay=60)
    url = world.server.url
    await world.server.stop()
    gate.set()
    with pytest.raises(Exception, match="refused"):
        await world.publish()
    world.advance(61)
    await world.server.start()
    assert world.server.url == url
    await world.idle()
    paths = [delivery.path for delivery in world.destination.deliveries]
    assert sorted(paths) == ["/delayed", "/open", "/open", "/waiting"]
    opened = world.destination.to("/open")
    assert {delivery.headers["Upstash-Message-Id"] for delivery in opened} == {open_id}
    assert [delivery.headers["Upstash-Retried"] for delivery in opened] == ["0", "0"]
    _, state = await world.http("GET", "/v2/flowControl/k")
    assert (state["parallelismCount"], state["waitListSize"]) == (0, 0)


async def test_stop_and_start_are_safe_to_repeat(world: World) -> None:
    await world.server.stop()
    await world.server.stop()
    await world.server.start()
    await world.publish()
    await world.idle()


async def test_a_taken_port_is_an_os_error(world: World) -> None:
    port = int(world.server.url.rpartition(":")[2])
    other = QStashServer(port=port)
    with pytest.raises(OSError, match="in use"):
        await other.start()
    await other.stop()


async def test_wait_idle_says_what_is_left(world: World) -> None:
    ids = [await world.publish(delay=60) for _ in range(7)]
    with pytest.raises(
        TimeoutError, match=rf"{ids[0]} to {world.destination.url} is CREATED, due in .*; and 2 more"
    ):
        await world.server.wait_idle(0.05)
    assert world.server.pending() == 7


async def test_duplicates_on_purpose(world: World) -> None:
    gate = asyncio.Event()
    world.destination.otherwise = Answer(gate=gate)
    world.server.faults.duplicate(3)
    message_id = await world.publish()
    deliveries = await world.destination.received(3)
    assert world.destination.most_open == 3
    gate.set()
    await world.idle()
    assert {delivery.headers["Upstash-Message-Id"] for delivery in deliveries} == {message_id}
    assert len({delivery.headers["Upstash-Signature"] for delivery in deliveries}) == 3
    world.server.faults.clear()
    await world.publish()
    await world.idle()
    assert len(world.destination.deliveries) == 4


async def test_lost_callbacks(world: World) -> None:
    world.server.faults.drop_callbacks()
    world.destination.otherwise = Answer(500)
    await world.publish(retries=0, callback=world.destination.url, failure_callback=world.destination.url)
    await world.idle()
    assert len(world.destination.deliveries) == 1


async def test_refused_publishes(world: World) -> None:
    world.server.faults.refuse_publish(503, times=1)
    with pytest.raises(QStashError, match="503"):
        await world.publish()
    await world.publish()
    world.server.faults.refuse_publish(429)
    with pytest.raises(QStashError):
        await world.publish()
    assert (await world.http("POST", "/v2/batch", "[]"))[0] == 429
    assert (await world.http("GET", "/v2/keys"))[0] == 200
    world.server.faults.clear()
    await world.publish()
    await world.idle()
    assert len(world.destination.deliveries) == 2


async def test_late_deliveries(world: World) -> None:
    world.server.faults.delay(3600)
    message_id = await world.publish()
    async with asyncio.timeout(PATIENCE):
        while [event["state"] for event in await world.events(message_id)] != ["CREATED", "ACTIVE"]:
            pass
    assert not world.destination.deliveries


async def test_one_more_delivery(world: World) -> None:
    world.destination.otherwise = Answer(201)
    message_id = await world.publish(body="x")
    await world.idle()
    assert await world.server.redeliver(message_id) == 201
    assert len(world.destination.deliveries) == 2
    verify(world, world.destination.deliveries[1], world.destination.url)
    assert [event["state"] for event in await world.events(message_id)][-1] == "DELIVERED"
    with pytest.raises(KeyError):
        await world.server.redeliver("msg_unknown")


async def test_memory_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_FINISHED == 20_000
    monkeypatch.setattr("infra.local.qstash.store.MOST_FINISHED", 2)
    ids = []
    for _ in range(3):
        ids.append(await world.publish())
        await world.idle()
    with pytest.raises(KeyError):
        await world.server.redeliver(ids[0])
    assert await world.server.redeliver(ids[1]) == 200


async def test_the_log_callback(build_world: Build) -> None:
    lines: list[str] = []
    world = await build_world(log=lines.append)
    message_id = await world.publish()
    await world.idle()
    assert lines == [f"{message_id} POST {world.destination.url} delivered: 200"]


async def test_the_command() -> None:
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "infra.local.qstash", "--port", "0", "--backoff-scale", "0", "--quiet",
        cwd=root, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(30):
        lines = [(await process.stdout.readline()).decode().strip() for _ in range(5)]
        settings: dict[str, Any] = dict(line.split("=", 1) for line in lines[1:])
        sdk = QStash(settings["QSTASH_TOKEN"], base_url=settings["QSTASH_URL"], retry=False)
        keys = await asyncio.to_thread(sdk.signing_key.get)
        sdk.http._client.close()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert re.search(r"runn+ing( at|\.)", lines[0])
    assert (keys.current, keys.next) == (
        settings["QSTASH_CURRENT_SIGNING_KEY"],
        settings["QSTASH_NEXT_SIGNING_KEY"],
    )


async def test_it_can_be_lifted_out(tmp_path: Path) -> None:
    """Its folder runs anywhere, under any name."""
    shutil.copytree(FOLDER, tmp_path / "offline_queue", ignore=shutil.ignore_patterns("__pycache__"))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "offline_queue",
        "-port",
        "0",
        "-quota",
        "pro",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = (await process.stdout.readline()).decode()
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert line.startswith("QStash is running at http://127.0.0.1:")


def test_it_needs_little() -> None:
    """The standard library, aiohttp, what aiohttp itself brings, croniter, jinja2, and nothing of this repository."""
    allowed = {*sys.stdlib_module_names, "aiohttp", "multidict", "yarl", "croniter", "jinja2"}
    for source in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                assert name.partition(".")[0] in allowed, (source, name)
