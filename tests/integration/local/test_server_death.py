"""However the server ends, no function's process is left behind."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.integration.local.conftest import HANDLERS, is_running, until

ROOT = Path(__file__).parents[3]

# One environment is idle (frozen), one hangs in its handler, one in its init.
SERVER = f"""
import asyncio, json, pathlib, signal
from infra.local.awslambda import Function, LambdaServer

async def main():
    functions = [
        Function("idle", "echo.handler"),
        Function("busy", "misbehave.handler"),
        Function("starting", "hang_always.handler"),
    ]
    server = LambdaServer(functions, task_root=pathlib.Path({str(HANDLERS)!r}))
    await server.start()
    await server.invoke("idle", {{}})
    hanging = [
        asyncio.create_task(server.invoke("busy", {{"rawPath": "/hang"}})),
        asyncio.create_task(server.invoke("starting", {{}})),
    ]
    while not (server.busy("busy") and server.pids("starting")):
        await asyncio.sleep(0.005)
    pids = [server.pids(name)[0] for name in ("idle", "busy", "starting")]
    print(json.dumps([*pids, server._warden.group]), flush=True)
    await asyncio.gather(*hanging)

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in a shell's background
asyncio.run(main())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
async def test_nothing_outlives_the_server(number: signal.Signals) -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    async with asyncio.timeout(20):
        pids = json.loads(await server.stdout.readline())
    assert all(is_running(pid) for pid in pids)
    server.send_signal(number)
    await server.communicate()
    await until(lambda: not any(is_running(pid) for pid in pids))


async def test_interrupt_of_the_terminal_does_not_reach_functions() -> None:
    """Ctrl-C goes to the terminal's foreground group; the server decides how functions end."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    async with asyncio.timeout(20):
        pids = json.loads(await server.stdout.readline())
    assert {os.getpgid(pid) for pid in pids} == {pids[-1]}
    assert os.getpgid(server.pid) != pids[-1]
    server.kill()
    await server.communicate()
    await until(lambda: not any(is_running(pid) for pid in pids))
