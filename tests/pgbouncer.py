"""A real PgBouncer in transaction mode before the tests' Postgres, on machines that have one."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import psycopg
from psycopg.conninfo import make_conninfo

from infra.local.postgres import _UNPRIVILEGED, _free_port

HOW_TO_INSTALL = (
    "there is no pgbouncer on PATH or in /usr/sbin: apt-get install pgbouncer; its service need not run"
)
_START_SECONDS = 10.0
# It ends when our end of the pipe is closed, which it also is when this process is killed.
_WHILE_WE_LIVE = 'exec 3<&0; "$0" "$1" & server=$!; { cat <&3; kill -KILL $server; } & wait $server'
# PgBouncer's defaults but for these; `ignore_startup_parameters` is empty, so it refuses what it does not know. Round
# robin: a client's transactions go to all of the servers in turn, so what one of them left in a session shows.
_SETTINGS = """
[databases]
* = host={host} port={port} auth_user={user}
[pgbouncer]
pool_mode = transaction
default_pool_size = {pool_size}
server_round_robin = 1
max_client_conn = 400
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
"""


def find_pgbouncer() -> str | None:
    """Where the program is, if it is; Debian's is outside of an ordinary user's PATH."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin")


class PgBouncer:
    """Runs for the length of a `with` block and lets in whoever has a role on the server."""

    def __init__(self, server_url: str, *, pool_size: int = 5) -> None:
        self._server = _with_defaults(server_url)
        self._pool_size = pool_size
        self._port = _free_port()
        self._end = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as started:
            folder = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="posthaste-pgbouncer-")))
            self._configure(folder)
            process = started.enter_context(self._launch(folder))  # leaving it closes the pipe
            self._wait_until_ready(process, folder / "log")
            self._end = started.pop_all()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._end.close()

    def url(self, database: str) -> str:
        """Connection string of one of the server's databases, through the pooler."""
        return make_conninfo(host="127.0.0.1", port=self._port, user=self._server["user"], dbname=database)

    def _configure(self, folder: Path) -> None:
        users, settings = folder / "users.txt", folder / "pgbouncer.ini"
        user, password = (self._server[name].replace('"', '""') for name in ("user", "password"))
        users.write_text(f'"{user}" "{password}"\n')
        quoted = {name: "'" + value.replace("'", "''") + "'" for name, value in self._server.items()}
        settings.write_text(
            _SETTINGS.format(**quoted, pool_size=self._pool_size, listen_port=self._port, users=users)
        )
        if os.geteuid() == 0:
            account = pwd.getpwnam(_UNPRIVILEGED)
            for path in (folder, users, settings):
                os.chown(path, account.pw_uid, account.pw_gid)

    def _launch(self, folder: Path) -> subprocess.Popen[bytes]:
        program = find_pgbouncer()
        if program is None:
            raise FileNotFoundError(HOW_TO_INSTALL)
        user = _UNPRIVILEGED if os.geteuid() == 0 else None  # PgBouncer refuses to run as root
        with (folder / "log").open("wb") as log:
            return subprocess.Popen(
                ["sh", "-c", _WHILE_WE_LIVE, program, folder / "pgbouncer.ini"],
                user=user, cwd="/", stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _wait_until_ready(self, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                psycopg.connect(self.url(self._server["dbname"]), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.02)
                    continue
                said = log.read_text("utf-8", errors="replace").strip()
                raise RuntimeError(f"PgBouncer did not start: {said or error}") from error
            return


def _with_defaults(server_url: str) -> dict[str, str]:
    """What PgBouncer needs to know of the server, under the names of its settings."""
    with psycopg.connect(server_url) as connection:
        info = connection.info
        host = info.hostaddr or info.host
        return {
            "host": host, "port": str(info.port), "user": info.user, "password": info.password, "dbname": info.dbname
        }  # fmt: skip
