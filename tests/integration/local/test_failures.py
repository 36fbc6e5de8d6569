"""Everything that can go wrong in a function is a 502 for its caller, and the next caller gets a good environment."""

import asyncio
import os
import signal
import time
from pathlib import Path

import aiohttp
import pytest

from infra.local.awslambda import Function, FunctionError, LambdaServer
from tests.integration.local.conftest import StartServer, is_running, release, until

MISBEHAVE = Function("misbehave", "misbehave.handler")


async def call(server: LambdaServer, client: aiohttp.ClientSession, path: str) -> tuple[int, str]:
    answer = await client.get(server.url("misbehave") + path)
    return answer.status, await answer.text()


BAD_GATEWAY = (502, "Internal Server Error")


async def test_exception(start_server: StartServer, client: aiohttp.ClientSession, log: list[str]) -> None:
    server = await start_server(MISBEHAVE)
    assert await call(server, client, "/raise") == BAD_GATEWAY
    assert "[misbehave] [ERROR] ValueError: that went wrong" in log
    pid = server.pids("misbehave")
    assert await call(server, client, "/") == (200, str(pid[0]))


async def test_exception_of_a_direct_invocation(start_server: StartServer) -> None:
    server = await start_server(MISBEHAVE)
    result = await server.invoke("misbehave", {"rawPath": "/raise"})
    assert result.payload is None
    assert result.error is not None
    assert (result.error.type, result.error.message) == ("ValueError", "that went wrong")
    assert "misbehave.py" in result.error.trace[0]


async def test_stack_trace_longer_than_usual_headers(start_server: StartServer) -> None:
    server = await start_server(MISBEHAVE)
    error = (await server.invoke("misbehave", {"rawPath": "/deep"})).error
    assert error is not None
    assert error.type == "RecursionError"
    assert "handler(event, context)" in error.trace[0]


async def test_result_that_is_no_json(start_server: StartServer, client: aiohttp.ClientSession) -> None:
    server = await start_server(MISBEHAVE)
    assert await call(server, client, "/odd") == BAD_GATEWAY


async def test_timeout_kills(
    start_server: StartServer, client: aiohttp.ClientSession, log: list[str]
) -> None:
    server = await start_server(Function("misbehave", "misbehave.handler", timeout=0.5))
    old = int((await call(server, client, "/"))[1])
    log.clear()
    assert await call(server, client, "/hang") == BAD_GATEWAY
    assert not is_running(old)
    assert server.pids("misbehave") == []
    assert log[1].endswith(" Task timed out after 0.50 seconds")
    assert log[-1].endswith("\tStatus: timeout")
    assert int((await call(server, client, "/"))[1]) != old
    assert any("Init Duration" in line for line in log)


async def test_exit(start_server: StartServer, client: aiohttp.ClientSession, log: list[str]) -> None:
    server = await start_server(MISBEHAVE)
    assert await call(server, client, "/exit") == BAD_GATEWAY
    assert server.pids("misbehave") == []
    assert any("Runtime exited with error: exit status 3 Runtime.ExitError" in line for line in log)
    assert (await call(server, client, "/"))[0] == 200


async def test_killed_while_it_runs(
    start_server: StartServer, client: aiohttp.ClientSession, log: list[str]
) -> None:
    server = await start_server(MISBEHAVE)
    running = asyncio.create_task(call(server, client, "/hang"))
    await until(lambda: bool(server.busy("misbehave")))
    killed_at = time.monotonic()
    os.kill(server.busy("misbehave")[0], signal.SIGKILL)
    assert await running == BAD_GATEWAY
    assert time.monotonic() - killed_at < 5
    assert server.pids("misbehave") == []
    assert any("signal: killed Runtime.ExitError" in line for line in log)


async def test_response_above_the_limit(
    start_server: StartServer, client: aiohttp.ClientSession, log: list[str]
) -> None:
    server = await start_server(MISBEHAVE)
    assert await call(server, client, "/big") == BAD_GATEWAY
    assert log[-1].endswith("Error Type: Function.ResponseSizeTooLarge")
    assert (await call(server, client, "/"))[0] == 200


async def test_import_error(start_server: StartServer, client: aiohttp.ClientSession, log: list[str]) -> None:
    server = await start_server(Function("broken", "broken.handler"))
    assert (await client.get(server.url("broken"))).status == 502
    assert any("Runtime.ImportModuleError" in line and "no_such_module" in line for line in log)
    assert any("INIT_REPORT" in line and "Phase: init\tStatus: error" in line for line in log)
    assert server.pids("broken") == []
    result = await server.invoke("broken", {})
    assert result.error is not None
    assert result.error.type == "Runtime.ImportModuleError"


async def test_python_that_is_not_there(start_server: StartServer) -> None:
    server = await start_server(MISBEHAVE, python="/no/such/python")
    error = (await server.invoke("misbehave", {})).error
    assert error is not None
    assert error.type == "Runtime.InvalidEntrypoint"


async def test_slow_init_is_started_over_within_the_invocation(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, log: list[str]
) -> None:
    monkeypatch.setattr("infra.local.awslambda.environment.INIT_SECONDS", 0.5)
    marker = {"HANG_MARKER": str(tmp_path / "marker")}
    server = await start_server(Function("slow", "hang_first.handler", environment=marker))
    assert (await server.invoke("slow", {})).payload == "started"
    assert any("INIT_REPORT" in line and "Phase: init\tStatus: timeout" in line for line in log)
    assert "Init Duration" not in log[-1]


async def test_endless_init_ends_at_the_timeout(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    monkeypatch.setattr("infra.local.awslambda.environment.INIT_SECONDS", 0.3)
    server = await start_server(Function("endless", "hang_always.handler", timeout=0.4))
    result = await server.invoke("endless", {})
    assert result.error == FunctionError("Sandbox.Timedout", "Task timed out after 0.40 seconds")
    assert server.pids("endless") == []
    assert log[-1].endswith("Status: timeout")


async def test_stop_ends_what_runs(start_server: StartServer, client: aiohttp.ClientSession) -> None:
    server = await start_server(MISBEHAVE)
    running = asyncio.create_task(call(server, client, "/hang"))
    await until(lambda: bool(server.busy("misbehave")))
    pid = server.busy("misbehave")[0]
    await server.stop()
    assert await running == BAD_GATEWAY
    assert not is_running(pid)


async def test_stop_ends_an_init(start_server: StartServer) -> None:
    server = await start_server(Function("endless", "hang_always.handler"))
    running = asyncio.create_task(server.invoke("endless", {}))
    await until(lambda: bool(server.pids("endless")))
    pid = server.pids("endless")[0]
    await server.stop()
    assert (await running).error is not None
    assert not is_running(pid)


async def test_failed_environments_do_not_use_up_the_concurrency(
    start_server: StartServer, client: aiohttp.ClientSession, pipes: list[Path]
) -> None:
    one = Function("misbehave", "misbehave.handler", concurrency=1)
    server = await start_server(one, Function("wait", "wait.handler", concurrency=1))
    for _ in range(3):
        assert await call(server, client, "/exit") == BAD_GATEWAY
    running = asyncio.create_task(server.invoke("wait", {"pipe": str(pipes[0])}))
    await release(pipes[0])
    assert (await running).error is None
