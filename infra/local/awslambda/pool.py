"""The environments of one function: how many, which one next, and when they go."""

import asyncio
from collections.abc import Callable

from infra.local.awslambda.environment import Environment
from infra.local.awslambda.event import Event
from infra.local.awslambda.function import Function, InvokeResult, Machine, ServerStopped, TooManyRequests


class Pool:
    """Gives each invocation the environment used last, or a new one up to the function's concurrency."""

    def __init__(
        self, function: Function, machine: Machine, default_concurrency: int, log: Callable[[str], None]
    ) -> None:
        self.function = function
        self._machine = machine
        self._default_concurrency = default_concurrency
        self._log = log
        self._idle: list[Environment] = []
        self._busy: set[Environment] = set()
        self._outdated: set[Environment] = set()
        self._invocations: set[asyncio.Task[InvokeResult]] = set()
        self._farewells: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """Processes of all live environments."""
        return [e.pid for e in (*self._idle, *self._busy) if e.pid is not None]

    @property
    def busy(self) -> list[int]:
        """Processes that are running an invocation now."""
        return [e.pid for e in self._busy if e.pid is not None and e.invoking]

    async def invoke(self, event: Event) -> InvokeResult:
        """Run an invocation. It goes on when the caller is cancelled. TooManyRequests, ServerStopped."""
        task = asyncio.create_task(self._run(self._take(), event))
        self._invocations.add(task)
        task.add_done_callback(self._invocations.discard)
        return await asyncio.shield(task)

    async def recycle(self) -> None:
        """End the idle environments now and the busy ones after their invocation."""
        self._outdated |= self._busy
        idle, self._idle = self._idle, []
        await asyncio.gather(*(environment.close() for environment in idle))

    async def close(self) -> None:
        """Kill all environments; running invocations end with an error."""
        self._closed = True
        for environment in self._busy:
            environment.kill()
        await asyncio.gather(*self._invocations, *self._farewells)
        await self.recycle()

    def _take(self) -> Environment:
        if self._closed:
            raise ServerStopped(f"{self.function.name}: the server is stopped")
        limit = self._default_concurrency if self.function.concurrency is None else self.function.concurrency
        if len(self._busy) >= limit:
            raise TooManyRequests("Rate Exceeded.")
        environment = self._idle.pop() if self._idle else self._new()
        self._busy.add(environment)
        return environment

    def _new(self) -> Environment:
        return Environment(self.function, self._machine, self._log, self._remove_dead)

    async def _run(self, environment: Environment, event: Event) -> InvokeResult:
        try:
            return await environment.run(event)
        finally:
            await self._give_back(environment)

    async def _give_back(self, environment: Environment) -> None:
        if environment.alive and environment not in self._outdated:
            self._idle.append(environment)
        else:
            await environment.close()
        self._busy.discard(environment)
        self._outdated.discard(environment)

    def _remove_dead(self) -> None:
        dead = [environment for environment in self._idle if environment.pid is None]
        for environment in dead:
            self._idle.remove(environment)
            self._say_farewell(environment)

    def _say_farewell(self, environment: Environment) -> None:
        task = asyncio.create_task(environment.close())
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)
