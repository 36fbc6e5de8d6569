"""The local cloud, set up to be broken: the chaos worker, proxies before Postgres, tables that record what happened."""

from __future__ import annotations

import json
import os
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
from infra.local.background import Background
from infra.local.cloud import LocalCloud
from tests.chaos import clock
from tests.chaos.proxy import Proxy

T = TypeVar("T")
WORKER = "crm-match"
BACKOFF_SCALE = 0.000005  # a day becomes 0.4 s
CONNECTIONS = 70
_WORKER_SECONDS = 8.0  # Lambda's own limit; the job's alarm rings 3 s before
_SWEEP_SECONDS = 25.0
_PATIENCE = 1.0  # seconds, in place of the 5 of tcp_user_timeout
_TABLES = """
CREATE TABLE chaos_effects (job_id uuid NOT NULL, attempt int NOT NULL);
CREATE TABLE chaos_tries (id uuid PRIMARY KEY, job_id uuid NOT NULL, attempt int NOT NULL, tag text NOT NULL);
CREATE TABLE chaos_orders (tag text NOT NULL);
CREATE TABLE chaos_ends (job_id uuid NOT NULL, was text NOT NULL, became text NOT NULL);
CREATE TABLE chaos_overtakings (job_id uuid NOT NULL, attempt int NOT NULL, lease_left interval NOT NULL);
CREATE FUNCTION chaos_note_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_ends VALUES (NEW.job_id, OLD.status, NEW.status);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_note_end AFTER UPDATE ON job_executions FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND (OLD.completed_at IS NOT NULL OR NEW.completed_at IS NOT NULL))
    EXECUTE FUNCTION chaos_note_end();
CREATE FUNCTION chaos_note_overtaking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos_overtakings VALUES (NEW.job_id, OLD.attempt, OLD.lease_expires_at - clock_timestamp());
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_note_overtaking AFTER UPDATE ON job_executions FOR EACH ROW
    WHEN (OLD.status = 'processing' AND OLD.lease_expires_at > clock_timestamp()
        AND (NEW.attempt <> OLD.attempt OR NEW.publication <> OLD.publication))
    EXECUTE FUNCTION chaos_note_overtaking();
"""


class Stage:
    """One local cloud for many runs; a context manager that also sets this process up as a producer.

    `starts` counts the invocations of each function, `rejections` the signatures they found wrong; `lines` holds what
    was logged last.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.starts: Counter[str] = Counter()
        self.rejections = 0
        self.lines: deque[str] = deque(maxlen=20_000)
        self.cloud = LocalCloud(
            folder, fresh=True, backoff_scale=BACKOFF_SCALE, reconcile_seconds=86_400, log=self._note
        )
        self.clock_file = folder / "clock"
        self._frozen = 0.0
        self._stack = ExitStack()
        self._background = Background()
        self._connection: psycopg.Connection[dict[str, Any]] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            settings = postgres._SETTINGS
            vars(postgres)["_SETTINGS"] = (*settings, f"max_connections={CONNECTIONS}")
            stack.callback(vars(postgres).__setitem__, "_SETTINGS", settings)
            stack.enter_context(self._background)
            stack.enter_context(self.cloud)
            assert self.cloud.postgres is not None
            self.postgres = self.cloud.postgres
            self.proxies = Proxy(self.postgres.port), Proxy(self.postgres.port)  # the worker's, the others'
            for proxy in self.proxies:
                self._background.call(proxy.start())
                stack.callback(self._stop, proxy)
            self.execute(_TABLES)
            stack.callback(self._disconnect)
            self.set_skew(0.0)
            self._replace_functions()
            stack.enter_context(_variables(self.environment))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        """What a producer's environment must hold."""
        return {**self.cloud.environment, "JOB_ENDPOINTS": json.dumps(self._endpoints)}

    # --- looking ------------------------------------------------------------------------------------------

    def execute(self, query: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Rows of a statement, on a connection that no fault cuts; opened anew after Postgres was restarted."""
        for last in (False, True):
            try:
                cursor = self._connected().execute(query.encode(), values or None)
                return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                self._disconnect()
                if last:
                    raise
        raise AssertionError

    def busy(self, function: str = WORKER) -> list[int]:
        """Processes that are running an invocation now."""

        async def look() -> list[int]:
            return self.cloud.functions.busy(function)

        return self.call(look())

    def reconcile(self) -> dict[str, Any] | None:
        """One sweep; None where it failed."""
        try:
            done = self.cloud.reconcile()
        except RuntimeError:
            return None
        assert isinstance(done, dict)
        return done

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
        self._frozen += 40.0
        clock.write(self.clock_file, skew=self._skew, frozen=self._frozen)
        return severed

    def set_skew(self, seconds: float) -> None:
        """Put the functions' clocks wrong, either way."""
        self._skew = seconds
        clock.write(self.clock_file, skew=seconds, frozen=self._frozen)

    def set_concurrency(self, limit: int | None) -> None:
        """How many of the worker's environments may run at once."""
        worker = self.cloud.functions._functions[WORKER]
        self.cloud.functions.update(replace(worker, concurrency=limit))

    # ------------------------------------------------------------------------------------------------------

    @property
    def _endpoints(self) -> dict[str, str]:
        return {**self.cloud.endpoints, WORKER: self.cloud.functions.url(WORKER) + "/"}

    def _replace_functions(self) -> None:
        functions = self.cloud.functions
        functions.update(Function(WORKER, "tests.chaos.handlers.effect.handler", timeout=_WORKER_SECONDS))
        workers, others = self.proxies
        for name, handler, seconds, proxy in (
            (WORKER, "effect", _WORKER_SECONDS, workers),
            ("record-failure", "record_failure", _WORKER_SECONDS, others),
            ("reconcile", "reconcile", _SWEEP_SECONDS, others),
        ):
            known = functions._functions[name]
            variables = {
                **self.environment,
                "DATABASE_URL": self.cloud.database_url.replace(f":{self.postgres.port}/", f":{proxy.port}/"),
                clock.VARIABLE: str(self.clock_file.resolve()),
            }
            functions.update(
                replace(
                    known,
                    handler=f"tests.chaos.handlers.{handler}.handler",
                    timeout=seconds,
                    environment={**known.environment, **variables},
                )
            )

    def _stop(self, proxy: Proxy) -> None:
        self._background.call(proxy.stop())

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


class _variables:  # noqa: N801  # used as a function
    """These variables in the environment while the block runs."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values, self._before = values, {name: os.environ.get(name) for name in values}

    def __enter__(self) -> None:
        os.environ.update(self._values)

    def __exit__(self, *_exception: object) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
