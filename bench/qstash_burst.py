"""Ten thousand messages in one burst through the local QStash, beside a bare HTTP client that posts the same ones.

    python -m bench.qstash_burst [--messages 10000] [--single] [--state FILE]

Server and destination are processes of their own. A rate is messages over the time from the first publish to the last
delivery; every delivery's signature is verified afterwards by the SDK's receiver, and every message looked up in the
log. Beside the rates it prints what each costs its process, which a busy machine changes less. `--single` publishes one by one rather than in batches of a hundred, `--state` keeps the server's state in a file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from qstash import Receiver

ROOT = Path(__file__).parents[1]
AT_ONCE = 100
BATCH = 100


def body(number: int) -> str:
    """A body of some hundred bytes, as a job's is."""
    return json.dumps(
        {"jobId": f"{number:032d}", "type": "send-email", "payload": {"to": "ada@example.com", "n": number}}
    )


async def serve() -> None:
    """The destination: counts, and keeps what it gets for whoever asks afterwards."""
    taken: list[tuple[str, str]] = []
    came = asyncio.Condition()

    async def take(request: web.Request) -> web.Response:
        taken.append((request.headers.get("Upstash-Signature", ""), await request.text()))
        async with came:
            came.notify_all()
        return web.Response()

    async def wait(request: web.Request) -> web.Response:
        async with came:
            await came.wait_for(lambda: len(taken) >= int(request.query["count"]))
        return web.Response()

    async def take_away(_: web.Request) -> web.Response:
        answer = web.json_response(taken)
        taken.clear()
        return answer

    app = web.Application()
    app.add_routes([web.post("/", take), web.get("/wait", wait), web.get("/taken", take_away)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


@asynccontextmanager
async def started(*arguments: str, lines: int) -> AsyncIterator[tuple[int, list[str]]]:
    """Another process of this Python: its id, and the first lines that it says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process.pid, [(await process.stdout.readline()).decode().strip() for _ in range(lines)]
    finally:
        process.terminate()
        await process.wait()


async def post_all(
    session: aiohttp.ClientSession, requests: list[tuple[str, str]], headers: dict[str, str]
) -> None:
    """Post them, so many at once."""
    waiting = iter(requests)

    async def work() -> None:
        for url, data in waiting:
            async with session.post(url, data=data.encode(), headers=headers) as answer:
                await answer.read()
                if answer.status >= 300:
                    raise RuntimeError(f"{answer.status}: {await answer.text()}")

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


@dataclass(frozen=True)
class Measure:
    """What a burst took: seconds in all, and of one process's CPU."""

    count: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.count / self.seconds

    def __str__(self) -> str:
        return f"{self.rate:8.0f} messages/s {self.cpu / self.count * 1e6:6.0f} µs of CPU each"


def cpu_of(pid: int | None) -> float:
    """Seconds of CPU that a process has used; not a number where the system does not tell."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return math.nan
    used = stat.read_text().rpartition(")")[2].split()
    return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")


async def measure_bare(session: aiohttp.ClientSession, destination: str, count: int) -> Measure:
    """A client that does nothing else."""
    began, used = time.perf_counter(), cpu_of(os.getpid())
    await post_all(
        session, [(destination, body(n)) for n in range(count)], {"Content-Type": "application/json"}
    )
    async with session.get(f"{destination}/wait?count={count}"):
        measure = Measure(count, time.perf_counter() - began, cpu_of(os.getpid()) - used)
    async with session.get(f"{destination}/taken") as answer:
        assert len(await answer.json()) == count
    return measure


async def measure_qstash(
    session: aiohttp.ClientSession,
    destination: str,
    settings: dict[str, str],
    count: int,
    *,
    single: bool,
    pid: int,
) -> Measure:
    """QStash, before a look at every signature and at the log."""
    base, headers = settings["QSTASH_URL"], {"Authorization": f"Bearer {settings['QSTASH_TOKEN']}"}
    json_type = {"Content-Type": "application/json"}
    if single:
        requests = [(f"{base}/v2/publish/{destination}", body(n)) for n in range(count)]
    else:
        items = [{"destination": destination, "headers": json_type, "body": body(n)} for n in range(count)]
        batches = [items[start : start + BATCH] for start in range(0, count, BATCH)]
        requests = [(f"{base}/v2/batch", json.dumps(batch)) for batch in batches]
    began, used = time.perf_counter(), cpu_of(pid)
    await post_all(session, requests, headers | json_type)
    async with session.get(f"{destination}/wait?count={count}"):
        measure = Measure(count, time.perf_counter() - began, cpu_of(pid) - used)
    await check(session, destination, settings, count)
    return measure


async def check(
    session: aiohttp.ClientSession, destination: str, settings: dict[str, str], count: int
) -> None:
    """Fail unless each message was delivered once, signed, and is in the log."""
    headers = {"Authorization": f"Bearer {settings['QSTASH_TOKEN']}"}
    async with session.get(f"{destination}/taken") as answer:
        taken = await answer.json()
    assert sorted(text for _, text in taken) == sorted(body(n) for n in range(count))
    receiver = Receiver(settings["QSTASH_CURRENT_SIGNING_KEY"], settings["QSTASH_NEXT_SIGNING_KEY"])
    for signature, text in taken:
        receiver.verify(signature=signature, body=text, url=destination)
    async with session.post(f"{settings['QSTASH_URL']}/control/idle?timeout=30s", headers=headers) as answer:
        assert answer.status == 200, await answer.text()
    logged: set[str] = set()
    cursor = ""
    while True:
        url = f"{settings['QSTASH_URL']}/v2/events?state=DELIVERED&count=1000{cursor}"
        async with session.get(url, headers=headers) as answer:
            page = await answer.json()
        logged |= {event["messageId"] for event in page["events"]}
        if "cursor" not in page:
            break
        cursor = f"&cursor={page['cursor']}"
    assert len(logged) == count, f"{len(logged)} of {count} are in the log"


async def main(options: argparse.Namespace) -> None:
    """Measure both, and print their rates beside each other."""
    server = ["-m", "infra.local.qstash", "--port", "0", "--quiet"]
    if options.state:
        server += ["--state", options.state]
    async with (
        started("-m", "bench.qstash_burst", "--destination", lines=1) as (_, [destination]),
        started(*server, lines=5) as (pid, [_, *lines]),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE + 1)) as session,
    ):
        settings = dict(line.split("=", 1) for line in lines)
        bare = await measure_bare(session, destination, options.messages)
        print(f"bare client {bare}, {AT_ONCE} at once")
        qstash = await measure_qstash(
            session, destination, settings, options.messages, single=options.single, pid=pid
        )
        how = "one by one" if options.single else f"in batches of {BATCH}"
        print(f"QStash      {qstash}, published {how}: all delivered, signed and in the log")
        print(
            f"ratio       {qstash.rate / bare.rate:8.2f} of the rate {bare.cpu / qstash.cpu:8.2f} of the CPU"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--single", action="store_true")
    parser.add_argument("--state")
    parser.add_argument("--destination", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    asyncio.run(serve() if given.destination else main(given))
