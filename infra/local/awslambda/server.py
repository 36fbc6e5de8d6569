"""The local Lambda: functions, each in as many processes as load asks, and their URLs."""

import asyncio
import dataclasses
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from infra.local.awslambda.event import Event
from infra.local.awslambda.function import (
    SESSION_TOKEN,
    Function,
    FunctionNotFound,
    InvokeResult,
    Machine,
    ServerStopped,
)
from infra.local.awslambda.gateway import Gateway
from infra.local.awslambda.pool import Pool
from infra.local.awslambda.process import Warden


class LambdaServer:
    """Runs functions as Lambda does, each under the real runtime client, behind function URLs on one port.

    `task_root` is where handlers are imported from; `log` gets every line, prefixed with the function's name;
    `freeze` stops processes between invocations. Functions are started by their first invocation.

        server = LambdaServer([Function("send-email", "functions.send_email.handler.handler")], task_root=root)
        await server.start()
        server.url("send-email")    # http://127.0.0.1:41234/send-email
    """

    def __init__(
        self,
        functions: Iterable[Function],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        task_root: Path,
        log: Callable[[str], None] | None = None,
        freeze: bool = True,
        python: str = sys.executable,
        default_concurrency: int = 10,
        region: str = "us-east-1",
        session_token: str = SESSION_TOKEN,
    ) -> None:
        self._functions = {function.name: function for function in functions}
        self._machine = Machine(task_root.resolve(), python, host, region, session_token, freeze)
        self._default_concurrency = default_concurrency
        self._sink = log
        self._pools: dict[str, Pool] = {}
        self._running = False
        self._warden = Warden()
        self._gateway = Gateway(self._invoke, self._log, host, port)

    async def start(self) -> None:
        """Listen. OSError if the port is taken."""
        await self._gateway.start()
        await self._warden.start()
        self._machine = dataclasses.replace(self._machine, group=self._warden.group)
        self._pools = {function.name: self._pool(function) for function in self._functions.values()}
        self._running = True

    async def stop(self) -> None:
        """Kill all functions and wait for them; running invocations end with an error."""
        self._running = False
        await self._gateway.stop_listening()
        try:
            await asyncio.gather(*(pool.close() for pool in self._pools.values()))
        finally:
            await self._gateway.stop()
            await self._warden.stop()

    def url(self, name: str) -> str:
        """The function's URL, without a trailing slash. FunctionNotFound; RuntimeError before the start."""
        if name not in self._functions:
            raise FunctionNotFound(name)
        return f"http://{self._machine.host}:{self._gateway.port}/{name}"

    async def invoke(
        self,
        name: str,
        event: object,
        timeout: float | None = None,  # noqa: ASYNC109 - how long to wait, not how long the function may run
    ) -> InvokeResult:
        """Invoke a function directly, as EventBridge or an SDK would.

        An error of the function is in the result. TimeoutError after `timeout` seconds of waiting (None: as long as
        the function may take), while the function runs on. FunctionNotFound, TooManyRequests, RequestTooLarge and
        ServerStopped are raised when it was not run.
        """
        async with asyncio.timeout(timeout):
            return await self._invoke(name, Event.of(event))

    def pids(self, name: str) -> list[int]:
        """Processes of the function's live environments."""
        return self._pool_of(name).pids

    def busy(self, name: str) -> list[int]:
        """Processes of the function that are running an invocation now."""
        return self._pool_of(name).busy

    async def recycle(self, name: str | None = None) -> None:
        """Make the next invocation cold, of one function or of all: the code has changed.

        Idle environments are killed now, busy ones when their invocation is over.
        """
        pools = self._pools.values() if name is None else [self._pool_of(name)]
        await asyncio.gather(*(pool.recycle() for pool in pools))

    def update(self, function: Function) -> None:
        """Add a function or replace its definition; environments that exist keep the old one until recycled."""
        self._functions[function.name] = function
        if function.name in self._pools:
            self._pools[function.name].function = self._with_url(function)
        elif self._running:
            self._pools[function.name] = self._pool(function)

    async def _invoke(self, name: str, event: Event) -> InvokeResult:
        return await self._pool_of(name).invoke(event)

    def _pool_of(self, name: str) -> Pool:
        if name in self._functions and name not in self._pools:
            raise ServerStopped("the server has not been started")
        if name not in self._pools:
            raise FunctionNotFound(name)
        return self._pools[name]

    def _pool(self, function: Function) -> Pool:
        return Pool(
            self._with_url(function),
            self._machine,
            self._default_concurrency,
            lambda line: self._log(function.name, line),
        )

    def _with_url(self, function: Function) -> Function:
        variables = {"ENDPOINT_URL": self.url(function.name), **function.environment}
        return dataclasses.replace(function, environment=variables)

    def _log(self, name: str, line: str) -> None:
        if self._sink is not None:
            self._sink(f"[{name}] {line}")
