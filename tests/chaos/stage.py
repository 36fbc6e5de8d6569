"""The local cloud, set up to be broken: the chaos worker, proxies before Postgres, tables that record what happened."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, TypeVar

import psycopg
from psycopg.rows import dict_row

from infra.local import postgres
from infra.local.awslambda import Function
from infra.local.awslambda import environment as environments
from infra.local.background import Background
from infra.local.cloud import LocalCloud
from infra.local.qstash import QStashServer
from shared.registry import REGISTRY, JobType
from tests.chaos import clock, doom, jobs
from tests.chaos.callbacks import Callbacks
from tests.chaos.clock import SlewedClock, Wrongness
from tests.chaos.producer import CALLBACK
from tests.chaos.proxy import Proxy
from tests.chaos.substitutes import replaced, variables

T = TypeVar("T")
WORKER = "crm-match"
OTHERS = ("record-failure", "reconcile")
BACKOFF_SCALE = 0.000005  # a day becomes 0.4 s
CONNECTIONS = 70
_HANDLERS = {WORKER: "effect", "record-failure": "record_failure", "reconcile": "reconcile"}
_SECONDS = {
    WORKER: jobs.TIMEOUT + 5.0,
    "record-failure": 10.0,
}  # Lambda's own limits, where not the template's
_ENVIRONMENTS = {WORKER: jobs.AT_ONCE + 2, "record-failure": 4, "reconcile": 4}
_PATIENCE = 1.0  # seconds, in place of the 5 of tcp_user_timeout
_TABLES = Path(__file__).with_name("record.sql")


class Stage:
    """One local cloud for many runs; a context manager that also sets this process up as a producer.

    `starts` counts the invocations of each function, `rejections` the signatures they found wrong; `lines` holds what
    was logged last. Functions that are `spared` must not be killed.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.starts: Counter[str] = Counter()
        self.rejections = 0
        self.lines: deque[str] = deque(maxlen=50_000)
        self.spared: frozenset[str] = frozenset()
        self.callbacks = Callbacks()
        self.qstash_clock = SlewedClock()
        self.cloud = LocalCloud(folder, fresh=True, reconcile_seconds=86_400, log=self._note)
        self.cloud.qstash = QStashServer(
            port=0,
            backoff_scale=BACKOFF_SCALE,
            clock=self.qstash_clock,
            log=lambda line: self._note(f"[qstash] {line}"),
        )
        self._folder = folder.resolve()
        self._wrong = Wrongness()
        self._stack = ExitStack()
        self._background = Background()
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(replaced(vars(postgres), "_SETTINGS", _settings()))
            # Many start at once on few cores. One that is given up starts anew, and so slows down all the others.
            stack.enter_context(replaced(vars(environments), "INIT_SECONDS", 60.0))
            configuration = jobs.install()
            stack.callback(REGISTRY.__setitem__, JobType.CRM_MATCH, configuration)
            for left_over in self._folder.glob("doom*"):
                left_over.unlink()
            stack.enter_context(self._background)
            stack.enter_context(self.cloud)
            assert self.cloud.postgres is not None
            self.postgres = self.cloud.postgres
            self._start(stack)
            self.execute(_TABLES.read_text())
            stack.callback(self._disconnect)
            self._put(self._wrong)
            self._replace_functions()
            stack.enter_context(variables(self.environment))
            stack.enter_context(clock.installed("producer", self._clock_file))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        """What a producer's environment must hold."""
        return {
            **self.cloud.environment,
            "JOB_ENDPOINTS": json.dumps(self._endpoints),
            clock.VARIABLE: str(self._clock_file),
            doom.HITS: str(self._folder / "doom-hits"),
            CALLBACK: self.callbacks.url,
        }

    # --- looking ------------------------------------------------------------------------------------------

    def execute(self, query: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Rows of a statement, on a connection that no fault cuts; opened anew after Postgres was restarted."""
        deadline = time.monotonic() + 20
        while True:
            try:
                with self._lock:
                    cursor = self._connected().execute(query.encode(), values or None)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                with self._lock:
                    self._disconnect()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def busy(self, function: str = WORKER) -> list[int]:
        """Processes that are running an invocation now."""

        async def look() -> list[int]:
            return self.cloud.functions.busy(function)

        return self.call(look())

    def messages(self) -> list[str]:
        """The ids of the messages that QStash holds."""

        async def look() -> list[str]:
            return [message.id for message in self.cloud.qstash._pending()]

        return self.call(look())

    def describe_qstash(self) -> list[str]:
        """What QStash holds, a line each."""

        async def look() -> list[str]:
            now = self.qstash_clock()
            return [
                f"{message.id} to {message.url}: {message.state}, retried {message.retried}, due in {message.due - now:.1f} s"
                for message in self.cloud.qstash._pending()
            ]

        return self.call(look())

    def reconcile(self) -> dict[str, Any] | None:
        """One sweep; None where it failed."""
        try:
            done = self.cloud.reconcile()
        except RuntimeError:
            return None
        assert isinstance(done, dict)
        return done

    @property
    def hits(self) -> Counter[str]:
        """How many processes have died at which fault point."""
        return doom.count(self._folder / "doom-hits")

    # --- breaking -----------------------------------------------------------------------------------------

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine where the cloud runs."""
        return self.cloud._background.call(work)

    def sever(self, *, forever: bool) -> int:
        """Let all the functions' connections to Postgres go dead, and enough time pass to suspect it.

        `forever`: a worker in the middle of a statement hears of it only by its job's own timeout.
        """
        workers, others = self.proxies
        severed = self._background.call(workers.sever(None if forever else _PATIENCE))
        severed += self._background.call(others.sever(_PATIENCE))
        self._put(replace(self._wrong, frozen=self._wrong.frozen + 40.0))
        return severed

    def set_clocks(self, producer: float, function: float, qstash: float, *, at_once: bool = True) -> None:
        """Put the three clocks so many seconds ahead; QStash's by little and little, unless `at_once` and forward."""
        self._put(replace(self._wrong, producer=producer, function=function))
        self.qstash_clock.put(qstash, at_once=at_once)

    def pass_time(self) -> None:
        """Let some time pass for what waits in QStash, by its clock, as far as its signatures allow."""
        self._put(replace(self._wrong, function=0.0))
        self.qstash_clock.pass_time(3.0, 50.0)
        self.call(self._wake())

    async def _wake(self) -> None:
        self.cloud.qstash.wake()

    def put_clocks_right(self) -> None:
        """Let all three tell the time again. QStash may hold nothing."""
        self._put(replace(self._wrong, producer=0.0, function=0.0))
        self.qstash_clock.put_right()

    def set_concurrency(self, limit: int | None) -> None:
        """How many of the worker's environments may run at once."""
        worker = self.cloud.functions._functions[WORKER]
        self.cloud.functions.update(replace(worker, concurrency=limit or _ENVIRONMENTS[WORKER]))

    def doom_file(self, function: str) -> Path:
        """Where the function's processes look for the fault point they are to die at."""
        return self._folder / f"doom-{function}"

    def pardon(self, function: str) -> None:
        """Let none of the function's processes die at a fault point, until the next order."""
        doom.pardon(self.doom_file(function))

    # ------------------------------------------------------------------------------------------------------

    @property
    def _clock_file(self) -> Path:
        return self._folder / "clock"

    def _put(self, wrong: Wrongness) -> None:
        self._wrong = wrong
        wrong.write(self._clock_file)

    @property
    def _endpoints(self) -> dict[str, str]:
        return {**self.cloud.endpoints, WORKER: self.cloud.functions.url(WORKER) + "/"}

    def _start(self, stack: ExitStack) -> None:
        self.proxies = Proxy(self.postgres.port), Proxy(self.postgres.port)  # the worker's, the others'
        for server in (*self.proxies, self.callbacks):
            self._background.call(server.start())
            stack.callback(self._stop, server)

    def _stop(self, server: Proxy | Callbacks) -> None:
        self._background.call(server.stop())

    def _replace_functions(self) -> None:
        functions = self.cloud.functions
        functions.update(Function(WORKER, ""))
        for name in (WORKER, *OTHERS):
            known = functions._functions[name]
            functions.update(
                replace(
                    known,
                    handler=f"tests.chaos.handlers.{_HANDLERS[name]}.handler",
                    timeout=_SECONDS.get(name, known.timeout),
                    concurrency=_ENVIRONMENTS[name],
                    environment={**known.environment, **self.environment, **self._variables(name)},
                )
            )

    def _variables(self, name: str) -> dict[str, str]:
        proxy = self.proxies[name != WORKER]
        url = self.cloud.database_url.replace(f":{self.postgres.port}/", f":{proxy.port}/")
        return {"DATABASE_URL": url, doom.VARIABLE: str(self.doom_file(name))}

    def _connected(self) -> psycopg.Connection[dict[str, Any]]:
        if self._connection is None:
            self._connection = psycopg.connect(
                self.cloud.database_url, autocommit=True, row_factory=dict_row, connect_timeout=10
            )
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _note(self, line: str) -> None:
        self.lines.append(line)
        name, _, text = line.partition("] ")
        if text.startswith("START "):
            self.starts[name.removeprefix("[")] += 1
        self.rejections += "signature rejected" in text


def _settings() -> tuple[str, ...]:
    return (*postgres._SETTINGS, f"max_connections={CONNECTIONS}")
