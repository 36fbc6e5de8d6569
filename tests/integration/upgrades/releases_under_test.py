"""Earlier code as a process of its own, and the schemas that it met."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.migrations import FOLDER, migrations
from tests.integration.upgrades.snapshot import RELEASES

_DRIVER = Path(__file__).parent / "old_code.py"
NEWEST = migrations()[-1].version
SNAPSHOTS = sorted(RELEASES.glob("*.tar.xz"))


class OldCode:
    """A running snapshot."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def say(self, **command: object) -> None:
        """Give a command and do not wait for what comes of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """The next answer."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the old code ended with {self._process.wait()}"
        return json.loads(line)

    def do(self, **command: object) -> Any:
        """Give a command; what came of it."""
        self.say(**command)
        return self.hear()

    def go_on(self) -> None:
        """Let the attempt end that is holding."""
        self.say()

    def kill(self) -> None:
        """As Lambda does: at once, wherever it is."""
        self._process.kill()
        self._process.wait()


@contextmanager
def running(snapshot: Path, folder: Path) -> Iterator[OldCode]:
    """A process with the snapshot's code, in this process's environment."""
    with tarfile.open(snapshot) as archive:
        archive.extractall(folder, filter="data")
    # -P: not from beside the driver, which lies in today's tree.
    process = subprocess.Popen(
        [sys.executable, "-P", str(_DRIVER)],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    old = OldCode(process)
    try:
        assert old.hear() == {"ready": str(folder)}
        yield old
    finally:
        process.kill()
        process.communicate()


def version_of(snapshot: Path) -> int:
    """The newest migration that a snapshot's code knows."""
    return int(snapshot.name.partition(".")[0])


def migrations_up_to(version: int, folder: Path) -> Path:
    """A folder with the migrations that a release had."""
    folder.mkdir()
    for each in migrations():
        if each.version <= version:
            shutil.copy(FOLDER / f"{each.name}.sql", folder)
    return folder
