"""A function's process with its Runtime API and its output: started once, handed one event after another."""

import asyncio
import time
from collections.abc import Callable
from enum import Enum, auto

from infra.local.awslambda import report
from infra.local.awslambda.event import Event
from infra.local.awslambda.function import Function, FunctionError, InvokeResult, Machine
from infra.local.awslambda.output import Output
from infra.local.awslambda.process import FunctionProcess
from infra.local.awslambda.runtime_api import Invocation, RuntimeApi
from infra.local.awslambda.variables import variables


class Ending(Enum):
    """How a turn of the process ended."""

    ASKED_FOR_NEXT = auto()
    EXITED = auto()
    TIMED_OUT = auto()


class Sandbox:
    """One process under the runtime client.

    It takes turns: its init, then an invocation each. A turn ends when the runtime asks for the next event, when the
    process exits or when time is up; whoever gave the turn decides what then becomes of the process. `on_exit` is
    called when the process has ended, whenever that is.
    """

    def __init__(
        self, function: Function, machine: Machine, log: Callable[[str], None], on_exit: Callable[[], None]
    ) -> None:
        self._function = function
        self._machine = machine
        self._on_exit = on_exit
        self._turn: asyncio.Future[Ending] | None = None
        self._api = RuntimeApi(self._asked_for_next)
        self._output = Output(log)
        self._process: FunctionProcess | None = None
        self._watch: asyncio.Task[None] | None = None
        self._exit_status: int | None = None
        self._killed = False

    @property
    def pid(self) -> int | None:
        """The process, while it lives."""
        return self._process.pid if self._process and self._exit_status is None else None

    @property
    def result(self) -> InvokeResult | None:
        """What the runtime answered to the last event."""
        return self._api.result

    @property
    def exit_error(self) -> FunctionError:
        """Why the process ended: the init error that it reported, else how it exited."""
        return self._api.init_error or report.exited(self._exit_status or 0)

    async def start(self, seconds: float) -> Ending:
        """Start the process and give it `seconds` for its init. OSError if it can't be started."""
        await self._api.start(self._machine.host)
        turn = self._new_turn()
        self._process = await self._start_process()
        self._watch = asyncio.create_task(self._watch_exit(self._process))
        if self._killed:  # while it was being started
            self._process.kill()
        return await self._end_of(turn, seconds)

    async def deliver(self, event: Event, seconds: float) -> Ending:
        """Give the process an event and `seconds` to answer it and ask for the next one."""
        if self._process is None or self._exit_status is not None:
            return Ending.EXITED
        turn = self._new_turn()
        self._process.thaw()
        deadline = int((time.time() + seconds) * 1000)
        arn = self._machine.arn(self._function.name)
        self._api.submit(Invocation(event.request_id, event.body, deadline, arn, event.trace_id))
        return await self._end_of(turn, seconds)

    def freeze(self) -> None:
        """Let the process do nothing until the next event."""
        if self._process is not None:
            self._process.freeze()

    @property
    def peak_memory(self) -> int:
        """Most memory that the process was seen to use, in MB."""
        return self._process.peak_memory if self._process else 0

    def drain_output(self) -> None:
        """Log all that the process has written so far."""
        self._output.drain()

    def kill(self) -> None:
        """End the process at once, one that is only being started too."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    async def close(self) -> None:
        """Kill the process and wait until nothing of it is left."""
        self.kill()
        if self._watch is not None:
            await self._watch
        self._output.close()
        await self._api.close()

    async def _start_process(self) -> FunctionProcess:
        with self._output.write_end() as descriptor:
            return await FunctionProcess.start(
                [self._machine.python, "-m", "awslambdaric", self._function.handler],
                environment=variables(self._function, self._machine, self._api.address),
                directory=self._machine.task_root,
                group=self._machine.group,
                output=descriptor,
            )

    async def _watch_exit(self, process: FunctionProcess) -> None:
        self._exit_status = await process.wait()
        self._end_turn(Ending.EXITED)
        self._on_exit()

    def _asked_for_next(self) -> None:
        self._measure()
        self._end_turn(Ending.ASKED_FOR_NEXT)

    def _measure(self) -> None:
        if self._process is not None:
            self._process.measure()

    def _new_turn(self) -> "asyncio.Future[Ending]":
        self._turn = asyncio.get_running_loop().create_future()
        return self._turn

    def _end_turn(self, ending: Ending) -> None:
        if self._turn is not None and not self._turn.done():
            self._turn.set_result(ending)

    async def _end_of(self, turn: "asyncio.Future[Ending]", seconds: float) -> Ending:
        try:
            async with asyncio.timeout(seconds):
                return await turn
        except TimeoutError:
            self._measure()
            return Ending.TIMED_OUT
