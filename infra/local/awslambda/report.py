"""The lines that the platform itself writes to a function's log."""

import math
import signal

from infra.local.awslambda.function import Function, FunctionError, InvokeResult

TIMED_OUT = "Sandbox.Timedout"


def init_start(python_version: str) -> str:
    """The first line of an environment."""
    return f"INIT_START Runtime Version: python:{python_version}"


def init_report(seconds: float, phase: str, error: FunctionError) -> str:
    """An init that failed or took too long; a good one is part of the first REPORT."""
    return f"INIT_REPORT Init Duration: {_ms(seconds)} ms\tPhase: {phase}\t{_status(error)}"


def start(request_id: str) -> str:
    """The line before an invocation's own lines."""
    return f"START RequestId: {request_id} Version: $LATEST"


def end(request_id: str) -> str:
    """The line after an invocation's own lines."""
    return f"END RequestId: {request_id}"


def failure(request_id: str, error: FunctionError) -> str:
    """What the platform says of an invocation that the runtime could not answer."""
    if error.type == TIMED_OUT:
        return f"{request_id} {error.message}"
    return f"RequestId: {request_id} Error: {error.message} {error.type}"


def report(
    result: InvokeResult, function: Function, seconds: float, init_seconds: float | None, memory: int
) -> str:
    """The line with the bill; `memory` is in MB. Init is billed like the rest, as Lambda does since August 2025."""
    billed = math.ceil((seconds + (init_seconds or 0)) * 1000)
    fields = [
        f"REPORT RequestId: {result.request_id}",
        f"Duration: {_ms(seconds)} ms",
        f"Billed Duration: {billed} ms",
        f"Memory Size: {function.memory} MB",
        f"Max Memory Used: {memory} MB",
    ]
    if init_seconds is not None:
        fields.append(f"Init Duration: {_ms(init_seconds)} ms")
    if result.error is not None:
        fields.append(_status(result.error))
    return "\t".join(fields)


def timed_out(seconds: float) -> FunctionError:
    """The error of an invocation that took longer than the function's timeout of `seconds`."""
    return FunctionError(TIMED_OUT, f"Task timed out after {seconds:.2f} seconds")


def exited(status: int) -> FunctionError:
    """The error of a process that ended by itself or was killed by someone else."""
    how = f"exit status {status}" if status >= 0 else f"signal: {_signal_name(-status)}"
    return FunctionError("Runtime.ExitError", f"Runtime exited with error: {how}")


def shut_down() -> FunctionError:
    """The error of an invocation whose environment was ended before it began."""
    return FunctionError("Runtime.ExitError", "The environment was shut down")


def _signal_name(number: int) -> str:
    names = {signal.SIGKILL: "killed", signal.SIGSEGV: "segmentation fault", signal.SIGABRT: "aborted"}
    return names.get(signal.Signals(number), signal.Signals(number).name)


def _status(error: FunctionError) -> str:
    return "Status: timeout" if error.type == TIMED_OUT else f"Status: error\tError Type: {error.type}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f}"
