"""An execution environment: how Lambda treats a function's process, and what it logs about it."""

import sys
import time
from collections.abc import Callable

from infra.local.awslambda import report
from infra.local.awslambda.event import Event
from infra.local.awslambda.function import Function, FunctionError, InvokeResult, Machine
from infra.local.awslambda.sandbox import Ending, Sandbox

INIT_SECONDS = 10.0
"""How long an init may take before it is started over within the first invocation's time."""


class Environment:
    """Runs invocations one at a time in a process that lives from the first one to a crash, a timeout or the end.

    Once it is no longer `alive` after an invocation it has to be closed.
    """

    def __init__(
        self, function: Function, machine: Machine, log: Callable[[str], None], on_exit: Callable[[], None]
    ) -> None:
        self.function = function
        self.invoking = False
        self._machine = machine
        self._log = log
        self._on_exit = on_exit
        self._sandbox: Sandbox | None = None
        self._initialised = False
        self._init_seconds: float | None = None
        self._killed = False

    @property
    def pid(self) -> int | None:
        """Its process, while it lives."""
        return self._sandbox.pid if self._sandbox else None

    @property
    def alive(self) -> bool:
        """Whether it can take another invocation."""
        return self.pid is not None and self._initialised and not self._killed

    async def run(self, event: Event) -> InvokeResult:
        """Run one invocation to its end, after an init if it is the first. Errors are in the result."""
        error = None if self._initialised else await self._initialise()
        self._log(report.start(event.request_id))
        started = time.monotonic()
        result = InvokeResult(event.request_id, error=error) if error else await self._invoke(event, started)
        self._report(result, time.monotonic() - started)
        return result

    def kill(self) -> None:
        """End it at once; what it is doing ends with an error."""
        self._killed = True
        if self._sandbox is not None:
            self._sandbox.kill()

    async def close(self) -> None:
        """Kill it and wait until nothing of it is left."""
        self._killed = True
        if self._sandbox is not None:
            await self._sandbox.close()

    async def _initialise(self) -> FunctionError | None:
        self._log(report.init_start(".".join(str(part) for part in sys.version_info[:3])))
        started = time.monotonic()
        error = await self._boot(INIT_SECONDS)
        seconds = time.monotonic() - started
        if error is None:
            self._init_seconds = seconds
            return None
        self._log(report.init_report(seconds, "init", error))
        # Too slow is no failure yet: Lambda starts the init over, now in the invocation's own time.
        return None if error.type == report.TIMED_OUT else error

    async def _boot(self, seconds: float) -> FunctionError | None:
        if self._killed:
            return report.shut_down()
        self._sandbox = Sandbox(self.function, self._machine, self._log, self._on_exit)
        try:
            ending = await self._sandbox.start(seconds)
        except OSError as error:
            await self._sandbox.close()
            return FunctionError("Runtime.InvalidEntrypoint", str(error))
        self._initialised = ending is Ending.ASKED_FOR_NEXT
        if self._initialised:
            return None
        await self._sandbox.close()
        return report.timed_out(seconds) if ending is Ending.TIMED_OUT else self._sandbox.exit_error

    async def _invoke(self, event: Event, started: float) -> InvokeResult:
        error = None if self._initialised else await self._boot(self.function.timeout)
        if error is not None or self._sandbox is None:
            return InvokeResult(event.request_id, error=error)
        self.invoking = True
        ending = await self._sandbox.deliver(
            event, max(0.0, started + self.function.timeout - time.monotonic())
        )
        self.invoking = False
        await self._end_turn(self._sandbox, ending)
        return self._sandbox.result or InvokeResult(
            event.request_id, error=self._error(self._sandbox, ending)
        )

    async def _end_turn(self, sandbox: Sandbox, ending: Ending) -> None:
        if ending is not Ending.ASKED_FOR_NEXT:
            await sandbox.close()
        elif self._machine.freeze:
            sandbox.freeze()

    def _error(self, sandbox: Sandbox, ending: Ending) -> FunctionError:
        return report.timed_out(self.function.timeout) if ending is Ending.TIMED_OUT else sandbox.exit_error

    def _report(self, result: InvokeResult, seconds: float) -> None:
        memory = 0
        if self._sandbox is not None:
            memory = self._sandbox.peak_memory
            self._sandbox.drain_output()
        if result.error is not None and not result.error.raised:
            self._log(report.failure(result.request_id, result.error))
        self._log(report.end(result.request_id))
        self._log(report.report(result, self.function, seconds, self._init_seconds, memory))
        self._init_seconds = None
