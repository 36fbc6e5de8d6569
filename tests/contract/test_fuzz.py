"""Whatever is sent, the server serves on, and its state stays consistent.

A slice by default; FUZZ_REQUESTS=10000 sends as many, FUZZ_SEED begins elsewhere.
"""

import asyncio
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from infra.local.qstash.wire.shapes import dead_letter_json, event_json, message_json, schedule_json
from tests.contract.conftest import running
from tests.contract.test_state import one_run
from tests.contract.world import Answer, World

REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "1000"))
SEED = int(os.environ.get("FUZZ_SEED", "20261128"))

CALLS = (
    "POST /v2/publish/{d}", "POST /v2/publish/{d}", "POST /v2/publish/g", "POST /v2/enqueue/q/{d}",
    "POST /v2/enqueue/{w}/{d}", "POST /v2/batch", "POST /v2/batch", "DELETE /v2/messages", "GET /v2/messages/{m}",
    "DELETE /v2/messages/{m}", "POST /v2/queues", "GET /v2/queues/{w}", "DELETE /v2/queues/{w}",
    "POST /v2/queues/q/{verb}", "POST /v2/schedules/{d}", "GET /v2/schedules", "DELETE /v2/schedules/{w}",
    "PATCH /v2/schedules/s/{verb}", "GET /v2/topics", "DELETE /v2/topics/{w}", "PATCH /v2/topics/g",
    "POST /v2/topics/{w}/endpoints", "DELETE /v2/topics/g/endpoints", "GET /v2/dlq", "DELETE /v2/dlq",
    "GET /v2/dlq/{w}", "POST /v2/dlq/retry", "POST /v2/dlq/retry/{w}", "GET /v2/events", "GET /v2/logs", "GET /v2/keys",
    "POST /v2/keys/rotate", "GET /v2/flowControl", "GET /v2/flowControl/{w}", "POST /v2/flowControl/k/{verb}",
    "GET /v2/globalParallelism", "GET /v2/bulkActions/{w}", "GET /", "GET /messages/{m}", "GET /dead-letters",
    "POST /actions/{w}", "POST /actions/cancel", "POST /control/clock", "POST /control/faults", "PUT /control/hosts",
    "GET /control/{w}", "GET /{w}", "GET //",
)  # fmt: skip
METHODS = ("GET", "POST", "DELETE", "PATCH", "PUT", "HEAD", "OPTIONS")
HEADERS = (
    "Delay", "Timeout", "Retries", "Retry-Delay", "Not-Before", "Method", "Label", "Callback", "Failure-Callback",
    "Forward-X", "Flow-Control-Key", "Flow-Control-Value", "Callback-Retries", "Callback-Callback", "Deduplication-Id",
    "Content-Based-Deduplication", "Cron", "Schedule-Id", "Queue-Name", "Redact-Fields", "Header-Forward",
)  # fmt: skip
PARAMETERS = (
    "cursor", "count", "messageId", "messageIds", "dlqIds", "state", "url", "label", "queueName", "topicName", "fromDate",
    "toDate", "host", "path", "scheduleId", "responseStatus", "search", "parallelism", "rate", "period", "async", "user",
    "upstash-delay", "qstash_token",
)  # fmt: skip
WORDS = (
    "", "0", "1", "-1", "5", "100", "1000000", "9" * 30, "1.5", "1e400", "NaN", "true", "False", "null", "q", "s", "g", "k",
    "a b", "a:b", "../..", "%2F", "%", "%zz", "\xe9", "\xff", "10s", "1h30m", "60", "s", "* * * * *", "5-5 * * * *",
    "CRON_TZ=Europe/Paris 0 4 * * *", "* * * *", "61 * * * *", "pow(2, retried)", "1/0", "retried**9", "(" * 50, "body",
    "header[X]", "header[", "parallelism=1", "rate=1,period=1s", "parallelism=x", "http://", "https://a.b", "ftp://a.b",
    "http://[::1", "http://a:99999/", "GET", "BREW", "DELIVERED", "IN_PROGRESS", "1725323658779-0", "1-1", "<b>", "'\"", ";", "&",
    "=", "?", "#", "//", "@",
)  # fmt: skip


class Noise:
    """Requests that are nearly right, or not at all; the same ones for the same seed."""

    def __init__(self, seed: int, destination: str) -> None:
        self.random = random.Random(seed)
        self.destination = destination
        self.known: list[str] = ["msg_none"]

    def word(self) -> str:
        chance = self.random.random()
        if chance < 0.1:
            return self.random.choice(self.known)
        if chance < 0.2:
            return "".join(chr(self.random.randint(32, 255)) for _ in range(self.random.randint(0, 12)))
        return self.random.choice(WORDS)

    def method_and_path(self) -> tuple[str, str]:
        destination = (
            self.destination + self.random.choice(("", "/a", "//b?x=1"))
            if self.random.random() < 0.7
            else self.word()
        )
        method, _, path = self.random.choice(CALLS).partition(" ")
        if self.random.random() < 0.1:
            method = self.random.choice(METHODS)
        path = path.format(
            d=destination,
            w=self.word() or "w",
            m=self.random.choice(self.known),
            verb=self.random.choice(("pause", "resume", "pin", "unpin", "resetRate", "explode")),
        )
        query = "&".join(
            f"{self.random.choice(PARAMETERS)}={self.word()}" for _ in range(self.random.choice((0, 0, 1, 2)))
        )
        raw = f"{path}{'&' if '?' in path else '?'}{query}" if query else path
        # What no client could put in a request line is escaped; the rest is left as bad as it is.
        return method, "".join(
            sign if "!" <= sign <= "~" and sign != "#" else f"%{ord(sign) & 255:02X}" for sign in raw
        )

    def headers(self, token: str) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {token if self.random.random() < 0.98 else self.word()}"}
        for _ in range(self.random.choice((0, 0, 1, 2, 3))):
            headers[f"Upstash-{self.random.choice(HEADERS)}"] = self.word()
        safe = {name: "".join(sign for sign in value if sign >= " ") for name, value in headers.items()}
        return {name: value for name, value in safe.items() if "\x7f" not in value}

    def body(self) -> bytes:
        chance = self.random.random()
        if chance < 0.3:
            return b""
        if chance < 0.5:
            return self.random.randbytes(self.random.randint(0, 200))
        return json.dumps(self.value(3)).encode()

    def value(self, depth: int) -> Any:
        names = (
            "destination", "headers", "body", "queue", "endpoints", "url", "name", "queueName", "parallelism", "paused",
            "messageIds", "dlqIds", "advance", "duplicate", "dropAnswers", "reorder",
        )  # fmt: skip
        leaf = self.random.choice((self.word(), self.destination, None, True, 0, 3, -1, 1.5, self.word()))
        match self.random.randint(0, 3 if depth else 0):
            case 1:
                return [self.value(depth - 1) for _ in range(self.random.randint(0, 3))]
            case 2 | 3:
                return {
                    self.random.choice(names): self.value(depth - 1) for _ in range(self.random.randint(0, 4))
                }
        return leaf


async def test_bad_requests_leave_it_serving(world: World) -> None:
    await send_noise(world)
    await check_it_is_consistent(world)


async def test_what_they_leave_is_there_after_a_restart(tmp_path: Path) -> None:
    async with one_run(tmp_path / "state.db", backoff_scale=0.0) as world:
        await send_noise(world)
        world.server.faults.clear()
        await world.server.stop()  # so that nothing moves while it is looked at
        before = describe(world)
    async with running(state=tmp_path / "state.db") as world:
        await world.server.stop()
        assert describe(world) == before
        world.server.close()


def describe(world: World) -> Any:
    """All that is kept of each user, in the answers' shapes."""
    return [
        {
            "events": [event_json(event) for event in account.courier.store.events()],
            "letters": [dead_letter_json(letter) for letter in account.courier.store.dead_letters()],
            "live": [message_json(message) for message in account.courier.store.live.values()],
            "schedules": [schedule_json(schedule) for schedule in account.schedules.all()],
            "groups": account.groups.all(),
            "keys": account.courier.keys,
            "queues": {
                queue.name: (queue.parallelism, queue.paused, queue.taken)
                for queue in account.courier.queues.all()
            },
            "gates": {key: gate.limits for key, gate in account.courier.flow.gates().items()},
        }
        for account in world.server.accounts.values()
    ]


async def send_noise(world: World) -> None:
    """All the bad requests."""
    world.destination.answers.extend(Answer(500 if n % 3 == 0 else 200) for n in range(REQUESTS * 3))
    noise = Noise(SEED, world.destination.url)
    statuses: Counter[int] = Counter()

    async def send(session: aiohttp.ClientSession) -> None:
        method, path = noise.method_and_path()
        headers, body = noise.headers(world.server.token), noise.body()
        url = URL(world.server.url + path, encoded=True)
        async with session.request(method, url, headers=headers, data=body, allow_redirects=False) as answer:
            text = await answer.text()
            told = (method, path, headers, body[:200], answer.status, text[:200])
            assert answer.status < 500 or "refused on purpose" in text, told
            statuses[answer.status] += 1
            redirected = 300 <= answer.status < 400
            assert not redirected or path.startswith("/actions/"), told
            if answer.content_type == "application/json" and text:
                remember(json.loads(text))

    def remember(answer: Any) -> None:
        if isinstance(answer, dict) and isinstance(answer.get("messageId"), str):
            noise.known = [*noise.known[-20:], answer["messageId"]]

    async with aiohttp.ClientSession(skip_auto_headers=("Content-Type",)) as session:
        for _ in range(REQUESTS // 10):
            await asyncio.gather(*(send(session) for _ in range(10)))
    assert statuses[200] > REQUESTS / 5, f"noise that is always refused finds nothing: {statuses}"


async def check_it_is_consistent(world: World) -> None:
    """Nothing is stuck: when all is resumed, everything comes to its end, and each list agrees with the others."""
    server = world.server
    server.faults.clear()
    server.hosts.replace({})
    world.destination.answers.clear()
    [account] = [each for token, each in server.accounts.items() if token == server.token]
    for queue in account.courier.queues.all():
        account.courier.queues.pause(queue, False)
    for gate in list(account.courier.flow.gates().values()):
        account.courier.flow.resume(gate)
    for schedule in account.schedules.all():
        account.schedules.delete(schedule)
    await server.finish(60)
    await world.idle()
    assert server.pending() == 0
    for queue in account.courier.queues.all():
        assert (queue.taken, [message for message in queue.waiting if not message.finished]) == ({}, [])
    for key, gate in account.courier.flow.gates().items():
        assert (key, gate.active, gate.waiting_count) == (key, 0, 0)
    assert account.courier.all.active == 0
    ended = {"DELIVERED", "FAILED", "CANCELED"}
    last: dict[str, str] = {}
    for event in reversed((await world.http("GET", "/v2/events?count=1000"))[1]["events"]):
        last[event["messageId"]] = event["state"]
    assert set(last.values()) <= ended
    for path in ("dlq", "schedules", "queues", "topics", "flowControl", "keys", "bulkActions"):
        assert (await world.http("GET", f"/v2/{path}"))[0] == 200
    await world.publish(url=f"{world.destination.url}/still-serving")
    await world.idle()
    assert len(world.destination.to("/still-serving")) == 1
