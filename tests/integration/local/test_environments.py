"""Execution environments: how many there are, how they are reused, frozen and replaced, and what they log."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from infra.local.awslambda import (
    SESSION_TOKEN,
    Function,
    FunctionNotFound,
    LambdaServer,
    RequestTooLarge,
    ServerStopped,
    TooManyRequests,
)
from tests.integration.local.conftest import HANDLERS, StartServer, process_state, release, until

DESCRIBE = Function("describe", "describe.handler", timeout=20, environment={"OWN": "value"})
WAIT = Function("wait", "wait.handler")

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads process states from /proc")


async def describe(server: LambdaServer) -> dict[str, Any]:
    payload = (await server.invoke("describe", {})).payload
    assert isinstance(payload, dict)
    return payload


async def until_state(pid: int, states: str) -> None:
    await until(lambda: process_state(pid) in states)


async def test_warm_environment_is_reused(start_server: StartServer) -> None:
    server = await start_server(DESCRIBE)
    first, second = await describe(server), await describe(server)
    assert (first["invocations"], second["invocations"]) == (1, 2)
    assert server.pids("describe") == [first["pid"]] == [second["pid"]]
    assert first["pid"] != os.getpid()


async def test_environment_is_what_lambda_sets(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_DEVELOPER", "secret")
    server = await start_server(DESCRIBE)
    seen = await describe(server)
    variables = seen["environment"]
    expected = {
        "_HANDLER": "describe.handler",
        "AWS_LAMBDA_FUNCTION_NAME": "describe",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "20",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/describe",
        "AWS_REGION": "us-east-1",
        "AWS_SESSION_TOKEN": SESSION_TOKEN,
        "ENDPOINT_URL": server.url("describe"),
        "LAMBDA_TASK_ROOT": str(HANDLERS),
        "OWN": "value",
    }
    assert {name: variables.get(name) for name in expected} == expected
    assert variables["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
    assert variables["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert "OF_THE_DEVELOPER" not in variables
    assert seen["directory"] == str(HANDLERS)
    assert seen["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:describe"
    assert 19_000 < seen["remaining_ms"] <= 20_000


async def test_one_environment_per_concurrent_invocation(
    start_server: StartServer, pipes: list[Path]
) -> None:
    server = await start_server(WAIT)
    running = [asyncio.create_task(server.invoke("wait", {"pipe": str(pipe)})) for pipe in pipes]
    await until(lambda: len(server.busy("wait")) == 3)
    for pipe in pipes:
        await release(pipe)
    pids = {result.payload for result in await asyncio.gather(*running)}
    assert pids == set(server.pids("wait"))
    assert len(pids) == 3
    assert server.busy("wait") == []


async def test_environment_used_last_is_used_first(start_server: StartServer, pipes: list[Path]) -> None:
    server = await start_server(WAIT)
    slow, fast = (asyncio.create_task(server.invoke("wait", {"pipe": str(pipe)})) for pipe in pipes[:2])
    await until(lambda: len(server.busy("wait")) == 2)
    await release(pipes[1])
    await fast
    await release(pipes[0])
    last_used = (await slow).payload
    third = asyncio.create_task(server.invoke("wait", {"pipe": str(pipes[2])}))
    await release(pipes[2])
    assert (await third).payload == last_used


async def test_concurrency_limit_is_429(
    start_server: StartServer, client: aiohttp.ClientSession, pipes: list[Path]
) -> None:
    server = await start_server(Function("wait", "wait.handler", concurrency=1))
    running = asyncio.create_task(server.invoke("wait", {"pipe": str(pipes[0])}))
    await until(lambda: len(server.busy("wait")) == 1)
    throttled = await client.post(server.url("wait"), json={"pipe": str(pipes[1])})
    with pytest.raises(TooManyRequests):
        await server.invoke("wait", {"pipe": str(pipes[1])})
    await release(pipes[0])
    await running
    assert throttled.status == 429
    assert throttled.headers["x-amzn-errortype"] == "TooManyRequestsException"


async def test_concurrency_zero_never_runs(start_server: StartServer, client: aiohttp.ClientSession) -> None:
    server = await start_server(Function("describe", "describe.handler", concurrency=0))
    assert (await client.get(server.url("describe"))).status == 429


@linux_only
async def test_frozen_between_invocations(start_server: StartServer, pipes: list[Path]) -> None:
    server = await start_server(WAIT)
    for pipe in pipes[:2]:
        running = asyncio.create_task(server.invoke("wait", {"pipe": str(pipe)}))
        await until(lambda: bool(server.busy("wait")))
        pid = server.busy("wait")[0]
        await until_state(pid, "SR")
        await release(pipe)
        await running
        await until_state(pid, "T")


@linux_only
async def test_freezing_can_be_switched_off(start_server: StartServer) -> None:
    server = await start_server(DESCRIBE, freeze=False)
    pid = (await describe(server))["pid"]
    await until_state(pid, "S")


async def test_idle_environment_killed_from_outside_is_forgotten(start_server: StartServer) -> None:
    server = await start_server(DESCRIBE)
    os.kill((await describe(server))["pid"], signal.SIGKILL)
    await until(lambda: server.pids("describe") == [])
    assert (await describe(server))["invocations"] == 1


async def test_recycle_makes_the_next_invocation_cold(start_server: StartServer) -> None:
    server = await start_server(DESCRIBE)
    old = (await describe(server))["pid"]
    await server.recycle("describe")
    assert server.pids("describe") == []
    new = await describe(server)
    assert new["pid"] != old
    assert new["invocations"] == 1


async def test_recycle_lets_a_busy_environment_finish(start_server: StartServer, pipes: list[Path]) -> None:
    server = await start_server(WAIT)
    running = asyncio.create_task(server.invoke("wait", {"pipe": str(pipes[0])}))
    await until(lambda: bool(server.busy("wait")))
    await server.recycle()
    pid = server.busy("wait")[0]
    await release(pipes[0])
    assert (await running).payload == pid
    assert server.pids("wait") == []


async def test_update_counts_for_later_cold_starts(start_server: StartServer) -> None:
    server = await start_server(DESCRIBE)
    await describe(server)
    server.update(Function("describe", "describe.handler", environment={"OWN": "changed"}))
    assert (await describe(server))["environment"]["OWN"] == "value"
    await server.recycle()
    variables = (await describe(server))["environment"]
    assert (variables["OWN"], variables["ENDPOINT_URL"]) == ("changed", server.url("describe"))


async def test_update_can_add_a_function(start_server: StartServer) -> None:
    server = await start_server(WAIT)
    server.update(Function("echo", "echo.handler"))
    assert (await server.invoke("echo", [1])).payload == [1]


async def test_caller_that_gives_up_does_not_end_the_invocation(
    start_server: StartServer, pipes: list[Path], log: list[str]
) -> None:
    server = await start_server(WAIT)
    with pytest.raises(TimeoutError):
        await server.invoke("wait", {"pipe": str(pipes[0])}, timeout=0.3)
    await until(lambda: bool(server.busy("wait")))
    await release(pipes[0])
    await until(lambda: any("REPORT" in line for line in log))
    assert "Status" not in log[-1]


async def test_log_lines(start_server: StartServer, log: list[str]) -> None:
    server = await start_server(Function("noisy", "noisy.handler", memory=256))
    request_id = (await server.invoke("noisy", {})).request_id
    cold = log.copy()
    log.clear()
    await server.invoke("noisy", {})
    assert all(line.startswith("[noisy] ") for line in cold)
    init, start, out, err, logged, rest, end, report = [line.removeprefix("[noisy] ") for line in cold]
    assert init.startswith("INIT_START Runtime Version: python:3.")
    assert start == f"START RequestId: {request_id} Version: $LATEST"
    assert (out, err, rest) == ("to stdout 80000000", "to stderr", "without an end")
    assert logged.startswith("[WARNING]")
    assert logged.endswith("to the logger")
    assert end == f"END RequestId: {request_id}"
    fields = re.fullmatch(
        rf"REPORT RequestId: {request_id}\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\t"
        r"Memory Size: 256 MB\tMax Memory Used: (\d+) MB\tInit Duration: ([\d.]+) ms",
        report,
    )
    assert fields is not None
    duration, billed, memory, init_duration = (float(field) for field in fields.groups())
    assert duration + init_duration <= billed < duration + init_duration + 1.02
    assert memory > 80 or sys.platform != "linux"
    assert not any("Init" in line or "INIT" in line for line in log)


async def test_refusals(start_server: StartServer) -> None:
    server = await start_server(DESCRIBE)
    with pytest.raises(FunctionNotFound):
        await server.invoke("nothing", {})
    with pytest.raises(FunctionNotFound):
        server.url("nothing")
    with pytest.raises(RequestTooLarge):
        await server.invoke("describe", "x" * 7_000_000)
    await server.stop()
    with pytest.raises(ServerStopped):
        await server.invoke("describe", {})


async def test_not_started() -> None:
    server = LambdaServer([DESCRIBE], task_root=HANDLERS)
    with pytest.raises(ServerStopped):
        await server.invoke("describe", {})
    with pytest.raises(RuntimeError):
        server.url("describe")
    await server.stop()
