"""Connections: kept, replaced when they lay idle or broke, never shared between threads, processes or transactions."""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from shared import database
from shared.database import Connection
from shared.errors import DatabaseUnavailable
from tests.conftest import UrlOf

looks_at_processes = pytest.mark.direct("it looks at Postgres's processes, which a pooler shares out")


class Clock:
    """What `shared.database` takes for the wall clock."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(database, "time", made)
    return made


@pytest.fixture(scope="module")
def module_database(server_url: str, url_of: UrlOf) -> Iterator[str]:
    """One database for all of these tests, which are about connections and not about what is in it."""
    name = f"connections_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield url_of(name)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(autouse=True)
def url(module_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the code finds its database; it begins and ends without a connection."""
    database.discard()
    monkeypatch.setenv("DATABASE_URL", module_database)
    yield module_database
    database.discard()


@pytest.fixture
def admin(url: str) -> Iterator[Connection]:
    """The test's own connection, beside the code's, once those of other tests are gone."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row, application_name="the test") as opened:
        terminate(opened, *backends(opened))  # one whose client vanished without a word stays for long
        wait_until(lambda: backends(opened) == set())
        yield opened


def pid(connection: Connection) -> int:
    """Which of the server's processes it talks to, or the number by which a pooler knows it."""
    row = connection.execute("SELECT %s::integer AS pid", [connection.info.backend_pid]).fetchone()
    assert row is not None
    return int(row["pid"])


def backends(admin: Connection) -> set[int]:
    """The server's processes that serve the code's connections."""
    rows = admin.execute(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'posthaste'"
    )
    return {row["pid"] for row in rows}


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Ask again until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"


def terminate(admin: Connection, *pids: int) -> None:
    for each in pids:
        admin.execute("SELECT pg_terminate_backend(%s, 10000)", [each])


# --- kept and replaced -------------------------------------------------------------------------------------


def test_a_connection_is_kept_between_uses(clock: Clock) -> None:
    first = database.run(pid)
    for _use in range(5):
        clock.now += 29
        assert database.run(pid) == first


@looks_at_processes
def test_a_connection_idle_for_more_than_30_seconds_is_replaced(clock: Clock, admin: Connection) -> None:
    first = database.run(pid)
    clock.now += 30.5
    second = database.run(pid)
    assert second != first
    wait_until(lambda: backends(admin) == {second})


@looks_at_processes
def test_a_connection_is_replaced_when_the_clock_went_backwards(clock: Clock, admin: Connection) -> None:
    first = database.run(pid)
    clock.now -= 1
    second = database.run(pid)
    assert second != first
    wait_until(lambda: backends(admin) == {second})


def test_a_closed_connection_is_replaced(clock: Clock) -> None:
    first = database.connection()
    first.close()
    assert database.connection() is not first
    assert database.run(lambda connection: connection.execute("SELECT 1 AS one").fetchone()) == {"one": 1}


@looks_at_processes
def test_discard_closes_all_of_the_threads_connections(admin: Connection) -> None:
    borrowed = database.borrow(database.connection())
    database.run(pid)
    database.give_back(borrowed)
    assert len(backends(admin)) == 2
    database.discard()
    wait_until(lambda: backends(admin) == set())
    database.discard()


def test_connections_ask_nothing_of_a_pooler(admin: Connection) -> None:
    for _use in range(7):  # psycopg's own threshold is five
        database.run(lambda connection: connection.execute("SELECT %s", [1]))
    prepared = database.run(
        lambda connection: connection.execute("SELECT * FROM pg_prepared_statements").fetchall()
    )
    assert prepared == []
    assert database.connection().autocommit
    assert "options" not in database._OPTIONS


# --- run ---------------------------------------------------------------------------------------------------


@looks_at_processes
def test_a_kept_connection_that_died_is_replaced_once_and_the_work_repeated(admin: Connection) -> None:
    first = database.run(pid)
    terminate(admin, first)
    tried: list[Connection] = []

    def work(connection: Connection) -> int:
        tried.append(connection)
        return pid(connection)

    assert database.run(work) != first
    assert len(tried) == 2


@looks_at_processes
def test_a_new_connection_that_dies_is_not_tried_again(admin: Connection) -> None:
    tried: list[Connection] = []

    def dies(connection: Connection) -> None:
        tried.append(connection)
        terminate(admin, connection.info.backend_pid)
        connection.execute("SELECT 1")

    with pytest.raises(DatabaseUnavailable, match="Postgres went away") as caught:
        database.run(dies)
    assert len(tried) == 1
    assert "\n" not in str(caught.value)


@looks_at_processes
def test_work_that_kills_every_connection_is_tried_twice_and_no_more(admin: Connection) -> None:
    database.run(pid)
    tried: list[Connection] = []

    def dies(connection: Connection) -> None:
        tried.append(connection)
        terminate(admin, connection.info.backend_pid)
        connection.execute("SELECT 1")

    with pytest.raises(DatabaseUnavailable):
        database.run(dies)
    assert len(tried) == 2
    assert database.run(pid)


@looks_at_processes
def test_a_restart_of_postgres_costs_nothing_however_many_connections_were_kept(admin: Connection) -> None:
    """A job that used `transaction` and `progress` leaves two; a restart ends both."""
    first = database.borrow(database.connection())
    second = database.connection()
    database.give_back(first)
    pids = {pid(first), pid(second)}
    assert len(pids) == 2
    terminate(admin, *pids)
    assert database.run(pid) not in pids


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("SELECT 1 / 0", psycopg.errors.DivisionByZero),
        ("SELECT nothing", psycopg.errors.UndefinedColumn),
        ("SELECT * FROM nothing", psycopg.errors.UndefinedTable),
        ("nonsense", psycopg.errors.SyntaxError),
        ("SET statement_timeout = 1; SELECT pg_sleep(9)", psycopg.errors.QueryCanceled),
        ("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", psycopg.errors.SerializationFailure),
        ("DO $$ BEGIN RAISE SQLSTATE '55P03'; END $$", psycopg.errors.LockNotAvailable),
    ],
)
@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
def test_a_statements_own_error_is_not_tried_again(
    statement: str, error: type[Exception], kept: bool
) -> None:
    tried: list[Connection] = []
    if kept:
        database.run(pid)

    def fails(connection: Connection) -> None:
        tried.append(connection)
        connection.execute(statement.encode())

    with pytest.raises(error):
        database.run(fails)
    assert len(tried) == 1
    assert not tried[0].closed
    assert database.connection() is tried[0]


@pytest.mark.parametrize("state", ["57P01", "57P03", "08006", "53300"])
def test_a_state_that_blames_the_server_is_tried_again_on_another_connection(state: str) -> None:
    first = database.run(pid)
    tried: list[int] = []

    def fails_once(connection: Connection) -> str:
        tried.append(connection.info.backend_pid)
        if len(tried) == 1:
            connection.execute(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$".encode())
        return "done"

    assert database.run(fails_once) == "done"
    assert tried[0] == first
    assert tried[1] != first


def test_an_error_that_is_not_postgress_goes_through() -> None:
    def fails(_connection: Connection) -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        database.run(fails)


def test_postgres_out_of_reach_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:s3cret@127.0.0.1:1/nothing")
    with pytest.raises(
        DatabaseUnavailable, match=r"cannot connect to Postgres: .* \(is it up, and DATABASE_URL right\?\)"
    ) as caught:
        database.run(pid)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_running_command_is_cancelled_when_its_connection_is_closed(admin: Connection) -> None:
    """Or the server would go on, and commit it."""
    running = database.connect()
    running.execute("CREATE TABLE slow (done text)")
    running.pgconn.send_query(b"INSERT INTO slow SELECT 'done' FROM pg_sleep(30)")
    running.pgconn.flush()
    wait_until(lambda: running.info.transaction_status is TransactionStatus.ACTIVE)
    started = time.monotonic()
    database.close(running)
    wait_until(lambda: backends(admin) == set())
    assert time.monotonic() - started < 5
    assert admin.execute("SELECT * FROM slow").fetchall() == []


def test_a_cancel_that_overtakes_its_command_is_sent_again(
    admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = database.connect()
    running.pgconn.send_query(b"SELECT pg_sleep(30)")
    running.pgconn.flush()
    cancel, asked = psycopg.Connection.cancel_safe, list[float]()

    def ignored_once(connection: Any, *, timeout: float) -> None:
        asked.append(timeout)
        if len(asked) > 1:
            cancel(connection, timeout=timeout)

    monkeypatch.setattr(psycopg.Connection, "cancel_safe", ignored_once)
    database.close(running)
    wait_until(lambda: backends(admin) == set())
    assert len(asked) >= 2


# --- transactions ------------------------------------------------------------------------------------------


def test_a_borrowed_connection_is_never_handed_out() -> None:
    first = database.borrow(database.connection())
    second = database.connection()
    assert second is not first
    assert database.connection() is second  # and no third
    database.give_back(first)
    assert {database.connection(), database.connection()} <= {first, second}


@pytest.mark.parametrize("statement", ["BEGIN", "BEGIN; SELECT 1 / 0"])
def test_a_connection_left_in_a_transaction_is_closed_and_replaced(statement: str) -> None:
    first = database.connection()
    with suppress(psycopg.errors.DivisionByZero):
        first.execute(statement.encode())
    assert database.connection() is not first
    assert first.closed


def test_a_connection_given_back_in_a_transaction_is_closed() -> None:
    first = database.borrow(database.connection())
    first.execute("BEGIN")
    database.give_back(first)
    assert first.closed


def test_a_borrowed_connection_outlives_thirty_seconds(clock: Clock) -> None:
    first = database.borrow(database.connection())
    clock.now += 300
    assert database.connection() is not first
    assert not first.closed
    database.give_back(first)


# --- threads and processes ---------------------------------------------------------------------------------


@looks_at_processes
def test_each_thread_has_its_own_and_closes_it_at_its_end(admin: Connection) -> None:
    mine = database.run(pid)
    together, may_end = threading.Barrier(4), threading.Event()
    theirs: list[int] = []
    kept: list[int] = []

    def work() -> None:
        theirs.append(database.run(pid))
        kept.append(database.run(pid))
        together.wait(20)
        assert may_end.wait(20)

    threads = [threading.Thread(target=work) for _each in range(3)]
    for thread in threads:
        thread.start()
    together.wait(20)
    assert sorted(kept) == sorted(theirs)
    assert len({mine, *theirs}) == 4
    assert backends(admin) == {mine, *theirs}
    may_end.set()
    for thread in threads:
        thread.join()
    gc.collect()
    wait_until(lambda: backends(admin) == {mine})
    assert database.run(pid) == mine


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("in_transaction", [False, True], ids=["idle", "in a transaction"])
def test_a_forked_child_speaks_on_a_socket_of_its_own(admin: Connection, in_transaction: bool) -> None:
    kept = database.connection()
    mine = pid(kept)
    if in_transaction:
        kept.execute("BEGIN")
        kept.execute("CREATE TABLE written (by_whom text)")
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:  # no test framework in here: it answers through the pipe and is gone
        answer = b"failed"
        with suppress(BaseException):
            signal.alarm(20)
            theirs = database.run(pid)
            own_socket = database.connection().fileno() != kept.fileno()
            database.discard()
            gc.collect()
            answer = f"{theirs} {own_socket}".encode()
        os.write(write_end, answer)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    assert said.split() == [said.split()[0], "True"]
    assert int(said.split()[0]) != mine
    if in_transaction:
        kept.execute("COMMIT")
        assert admin.execute("SELECT * FROM written").fetchall() == []
    assert pid(kept) == mine  # the child's end did not close it, nor leave bytes in it
    assert database.run(pid) == mine


# --- half-open sockets -------------------------------------------------------------------------------------


class Proxy:
    """Stands between the code and Postgres, and can let the connections there are fall silent.

    Silent as a network that lost them is: what the other side sends is not even acknowledged. A socket filter (classic
    BPF, which asks for no privilege) drops each packet before TCP sees it. New connections go through.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._towards_client: list[socket.socket] = []
        self.accepted = 0
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def blackhole(self) -> None:
        """From now on nothing arrives on the connections that are open."""
        import ctypes

        drop_all = ctypes.create_string_buffer(
            struct.pack("HBBI", 0x06, 0, 0, 0)
        )  # BPF: return 0 bytes of it
        program = struct.pack("HL", 1, ctypes.addressof(drop_all))
        for client in self._towards_client:
            client.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(self._target)
                self.accepted += 1
                self._sockets += [client, server]
                self._towards_client.append(client)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for each in (source, sink):
            each.close()


@pytest.fixture
def proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    target = conninfo_to_dict(url)
    made = Proxy(str(target["host"]), int(target["port"] or 5432))
    monkeypatch.setenv("DATABASE_URL", make_conninfo(url, host="127.0.0.1", port=made.port))
    yield made
    database.discard()
    made.close()


@pytest.mark.skipif(
    sys.platform != "linux", reason="the filter that drops packets, and tcp_user_timeout, are Linux's"
)
def test_a_connection_that_fell_silent_is_given_up_and_the_work_goes_on(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured: Any = database._OPTIONS["tcp_user_timeout"]
    assert 0 < configured <= 5_000  # and 3 s at most to connect anew: 8 s in all
    assert database._OPTIONS["connect_timeout"] <= 3
    monkeypatch.setitem(database._OPTIONS, "tcp_user_timeout", 1_000)  # so that the test takes a second
    first = database.run(pid)
    proxy.blackhole()
    started = time.monotonic()
    second = database.run(pid)
    assert second != first
    assert 0.9 < time.monotonic() - started < 4
    assert proxy.accepted == 2


@pytest.mark.skipif(sys.platform != "linux", reason="the filter that drops packets is Linux's")
def test_after_a_freeze_a_silent_connection_costs_no_wait(proxy: Proxy, clock: Clock) -> None:
    first = database.run(pid)
    proxy.blackhole()
    clock.now += 31
    started = time.monotonic()
    assert database.run(pid) != first
    assert time.monotonic() - started < 2
