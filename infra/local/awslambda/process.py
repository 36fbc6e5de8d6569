"""Processes that run functions, and the warden that lets none of them outlive the server."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


class Warden:
    """A small process that leads the group all functions run in and kills that group when the server is gone.

    It waits on a pipe that only the server holds open, so a server killed with SIGKILL lets go of it too. SIGKILL
    also ends what is frozen. Being a group of its own keeps the terminal's Ctrl-C from the functions: the server
    decides how they end.
    """

    # Deaf to signals, so that nothing but the pipe's end makes it act.
    SCRIPT = "trap '' HUP INT TERM; read -r _; kill -KILL 0"

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    @property
    def group(self) -> int:
        """The process group to start functions in."""
        if self._process is None:
            raise RuntimeError("the warden has not been started")
        return self._process.pid

    async def start(self) -> None:
        """Start watching."""
        self._process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", self.SCRIPT, stdin=subprocess.PIPE, process_group=0
        )

    async def stop(self) -> None:
        """Kill whatever is left in the group, the warden included."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            await self._process.wait()
            self._process = None


class FunctionProcess:
    """One process under the server's control: frozen, thawed, killed, waited for.

    `peak_memory` is the most resident memory measured, in MB.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self.peak_memory = 0
        self._process = process

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        group: int,
        output: int,
    ) -> "FunctionProcess":
        """Start `command` in process group `group`, writing to descriptor `output`. OSError if it can't be."""
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            cwd=directory,
            process_group=group,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        return cls(process)

    async def wait(self) -> int:
        """Wait for its end: the exit status, or minus the signal that ended it."""
        return await self._process.wait()

    def freeze(self) -> None:
        """Stop it from running, as Lambda does between invocations."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it run on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once, frozen or not."""
        self._signal(signal.SIGKILL)

    def measure(self) -> None:
        """Note how much memory it uses, which can't be told any more once it has ended."""
        self.peak_memory = max(self.peak_memory, _resident_megabytes(self.pid))

    def _signal(self, number: signal.Signals) -> None:
        # Not Process.send_signal: it may reap the process, and the event loop then never learns its status.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _resident_megabytes(pid: int) -> int:
    kilobytes = _linux_peak(pid) if sys.platform == "linux" else _resident_now(pid)
    return -(-kilobytes // 1024)


def _linux_peak(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def _resident_now(pid: int) -> int:
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return int(shown.stdout.strip() or 0)
