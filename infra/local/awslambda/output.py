"""What a process writes to stdout and stderr, line by line."""

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Iterator

LINE_END = re.compile(rb"\r\n|\n|\r")  # awslambdaric joins the lines of a stack trace with \r


class Output:
    """A pipe that a process gets as its stdout and stderr; each line written to it goes to `log`."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._rest = b""
        self._read_end: int | None = None

    @contextlib.contextmanager
    def write_end(self) -> Iterator[int]:
        """Open the pipe and lend the descriptor to write to: kept only by the process started meanwhile."""
        self._read_end, write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        asyncio.get_running_loop().add_reader(self._read_end, self._read)
        try:
            yield write_end
        finally:
            os.close(write_end)

    def drain(self) -> None:
        """Log everything written so far, an unfinished last line too."""
        while self._read():
            pass
        self._log_lines(self._rest)
        self._rest = b""

    def close(self) -> None:
        """Log what is left and close the pipe, whoever may still hold its other end."""
        self.drain()
        self._close_read_end()

    def _read(self) -> bool:
        if self._read_end is None:
            return False
        try:
            chunk = os.read(self._read_end, 65536)
        except BlockingIOError:
            return False
        if not chunk:
            self._close_read_end()
            return False
        lines, end, self._rest = (self._rest + chunk).rpartition(b"\n")
        self._log_lines(lines + end)
        return True

    def _close_read_end(self) -> None:
        if self._read_end is not None:
            asyncio.get_running_loop().remove_reader(self._read_end)
            os.close(self._read_end)
            self._read_end = None

    def _log_lines(self, text: bytes) -> None:
        for line in LINE_END.split(text):
            if line:
                self._log(line.decode(errors="replace").replace("\xa0", " "))
