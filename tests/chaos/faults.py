"""What can be broken, one moment at a time."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import psycopg

from infra.template import ROOT
from shared.fault_points import FaultPoint
from tests.chaos import clock, doom
from tests.chaos.producer import errands_of
from tests.chaos.promises import Promises, Step
from tests.chaos.stage import CONNECTIONS, OTHERS, WORKER, Stage

_CHILDREN = 2  # at once; there may be few cores
_PATIENCE = 5.0  # seconds that a moment waits for deliveries
_STEPS: tuple[Step, ...] = (
    "accepted",
    "rolled back",
    "cancelling",
    "cancelled",
    "too late to cancel",
)
_BY_WORD = {step.replace(" ", "-"): step for step in _STEPS}
Moment = Callable[["Breaker"], None]


@dataclass(frozen=True, slots=True)
class Outage:
    """Something on which a sweep hangs was broken; seconds since 1970."""

    begin: float
    end: float


class Breaker:
    """Breaks things on one stage. `injected` counts, by the fault's name; a fault that hit nothing does not count.

    Between two moments there are at least `deliveries_apart` deliveries, or five seconds. In `real_time` no fault brings
    a sweep with it or sets a clock back at once.
    """

    def __init__(self, stage: Stage, promises: Promises, chance: random.Random, name: str) -> None:
        self.stage, self.promises, self.chance, self.name = stage, promises, chance, name
        self.injected: Counter[str] = Counter()
        self.outages: list[Outage] = []
        self.real_time, self.deliveries_apart = False, 1
        self._children: list[threading.Thread] = []
        self._delivered = stage.starts[WORKER]

    # --- processes ----------------------------------------------------------------------------------------

    def kill_function(self) -> None:
        """SIGKILL a process in the middle of an invocation."""
        functions = [WORKER] * 6 + list(OTHERS)
        self.chance.shuffle(functions)
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            for function in dict.fromkeys(functions):
                if (
                    function not in self.stage.spared
                    and self.stage.busy(function)
                    and self._kill_soon(function)
                ):
                    return
            time.sleep(0.002)

    def _kill_soon(self, function: str) -> bool:
        time.sleep(self.chance.uniform(0, 0.03))
        killed = self.stage.call(self._kill_one_of(function))
        if killed:
            self.injected[f"killed: {function}"] += 1
        return killed

    async def _kill_one_of(self, function: str) -> bool:
        busy = self.stage.cloud.functions.busy(function)
        if not busy:
            return False
        try:
            os.kill(self.chance.choice(busy), signal.SIGKILL)
        except ProcessLookupError:  # it has just ended, and the server is about to learn it
            return False
        return True

    def kill_at_point(self) -> None:
        """Have a process of each function, and at times a producer, die at a fault point."""
        for function in {WORKER, *OTHERS} - self.stage.spared:
            doom.order(self.stage.doom_file(function), self._points())
        if self.chance.random() < 0.25:
            self._start_producer([point.name for point, _times in self._points()], self.chance.randint(1, 4))

    def _points(self) -> list[tuple[FaultPoint, int]]:
        """A few of all there are, those first that have been hit least."""
        hits = self.stage.hits
        points = sorted(FaultPoint, key=lambda point: (hits[point.name], self.chance.random()))
        rare = self.chance.sample(points[: len(points) // 2 + 1], 5)
        return [(point, self.chance.choice([1, 1, 2, 3])) for point in rare]

    def kill_producer(self) -> None:
        """A producer in a process of its own is killed at any moment."""
        self._start_producer([], 1, self.chance.uniform(0.01, 0.5))

    def _start_producer(self, points: Sequence[str], times: int, moment: float | None = None) -> None:
        """A producer's word counts also if it is killed, `moment` seconds after its first or at a fault point."""
        if sum(child.is_alive() for child in self._children) >= _CHILDREN:
            return
        seed, jobs, pause = f"{self.name}/child{len(self._children)}", 25, 0.01
        command = [sys.executable, "-m", "tests.chaos.producer", "--seed", seed, "--jobs", str(jobs)]
        command += ["--pause", str(pause), "--times", str(times)]
        command += ["--die-at", *points] if points else []
        self.promises.expect(errands_of(seed, jobs, pause))
        listener = threading.Thread(target=self._listen, args=(command, moment))
        self._children.append(listener)
        listener.start()

    def _listen(self, command: list[str], moment: float | None) -> None:
        doom_timer = threading.Timer(moment or 0.0, lambda: None)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
            assert child.stdout is not None
            for number, line in enumerate(child.stdout):
                if number == 0 and moment is not None:
                    doom_timer = threading.Timer(moment, child.kill)
                    doom_timer.start()
                self._hear(line)
        doom_timer.cancel()
        if child.returncode == -signal.SIGKILL:
            self.injected["producer killed"] += 1
        elif child.returncode:
            self.promises.broken.append(f"a producer ended with {child.returncode}")

    def _hear(self, line: str) -> None:
        if not line.endswith("\n"):
            return
        match line.split():
            case ["accepted", tag, job_id]:
                self.promises.tell("accepted", tag, UUID(job_id))
            case [word, tag, _] if word in _BY_WORD:
                self.promises.tell(_BY_WORD[word], tag)

    # --- what they stand on -------------------------------------------------------------------------------

    def restart_postgres(self) -> None:
        """Stop Postgres as a crash does, and start it again."""
        self._take_postgres_away(self.chance.uniform(0, 0.4))
        self.injected["Postgres crashed and restarted"] += 1

    def keep_postgres_down(self) -> None:
        """Stop Postgres for so long that QStash gives up the messages it has under way."""
        self._take_postgres_away(self.chance.uniform(0.8, 1.2))
        self.injected["Postgres down until QStash gave up"] += 1

    def _take_postgres_away(self, seconds: float) -> None:
        with self._outage():
            self.stage.postgres.stop(immediate=True)
            time.sleep(seconds)
            self.stage.postgres.start()

    def sever_sockets(self) -> None:
        """Let the functions' connections to Postgres go dead."""
        with self._outage():
            self.injected["sockets gone dead"] += self.stage.sever(forever=self.chance.random() < 0.25)

    def stop_qstash(self) -> None:
        """QStash is down for a moment; requests under way are broken off."""
        with self._outage():
            self.stage.call(self.stage.cloud.qstash.stop())
            time.sleep(self.chance.uniform(0.1, 0.6))
            self.stage.call(self.stage.cloud.qstash.start())
        self.injected["QStash down"] += 1

    def exhaust_connections(self) -> None:
        """Take all connections that Postgres has, for a moment."""
        with self._outage(), ExitStack() as taken, suppress(psycopg.OperationalError):
            try:
                for _ in range(CONNECTIONS):
                    taken.enter_context(
                        psycopg.connect(self.stage.cloud.database_url, autocommit=True, connect_timeout=2)
                    )
            finally:
                self.injected["Postgres connections exhausted"] += 1
                time.sleep(self.chance.uniform(0.1, 0.4))

    @contextmanager
    def _outage(self) -> Iterator[None]:
        begin = time.time()
        try:
            yield
        finally:
            self.outages.append(Outage(begin, time.time()))

    # --- how it behaves -----------------------------------------------------------------------------------

    def end_leases_early(self) -> None:
        """Take the lease of attempts that are running, and have the jobs run again: the old ones are stale now."""
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            taken = self.stage.execute(
                "UPDATE job_executions SET lease_expires_at = now() WHERE status = 'processing' RETURNING job_id"
            )
            if taken:
                self.injected["leases taken from running attempts"] += len(taken)
                if not self.real_time:
                    self.stage.reconcile()
                return
            time.sleep(0.005)

    def duplicate(self) -> None:
        """Every delivery is made several times from now on."""
        copies = self.chance.randint(2, 5)
        self.stage.cloud.qstash.faults.duplicate(copies)
        self.injected["deliveries multiplied (times it was set)"] += 1

    def throttle(self) -> None:
        """Two environments at most from now on: function URLs answer 429."""
        self.stage.set_concurrency(2)
        self.injected["throttled (times it was set)"] += 1

    def unthrottle(self) -> None:
        """As many environments as before from now on, and one delivery of each message."""
        self.stage.set_concurrency(None)
        self.stage.cloud.qstash.faults.clear()

    def skew_clocks(self) -> None:
        """Three clocks are each up to half a minute off from now on."""
        most = clock.MOST
        ahead = [self.chance.choice([-most, most, self.chance.uniform(-most, most)]) for _ in range(3)]
        self.stage.set_clocks(*ahead, at_once=not self.real_time)
        self.injected["clocks skewed (times it was set)"] += 1

    def drop_callbacks(self) -> None:
        """QStash loses its callbacks from now on."""
        self.stage.cloud.qstash.faults.drop_callbacks()
        self.injected["callbacks dropped (times it was set)"] += 1

    # ------------------------------------------------------------------------------------------------------

    @contextmanager
    def breaking(self, moments: Sequence[Moment], lasting: Sequence[Moment], pace: float) -> Iterator[None]:
        """Break things at random moments while the block runs, `pace` seconds apart on average; then mend all."""
        for each in lasting:
            each(self)
        over = threading.Event()
        failed: list[BaseException] = []

        def work() -> None:
            try:
                while not over.wait(self.chance.uniform(0.2 * pace, 1.8 * pace)):
                    self._await_deliveries(over)
                    self.chance.choice(moments)(self)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=work, name="chaos")
        if moments:
            thread.start()
        try:
            yield
        finally:
            over.set()
            if moments:
                thread.join()
            self._mend()
            for child in self._children:
                child.join()
        if failed:
            raise RuntimeError("the chaos itself broke") from failed[0]

    def _await_deliveries(self, over: threading.Event) -> None:
        """Let a machine that is slow get on with what was broken, or it does nothing but start processes."""
        deadline = time.monotonic() + _PATIENCE
        while (
            self.stage.starts[WORKER] - self._delivered < self.deliveries_apart
            and time.monotonic() < deadline
        ):
            if over.wait(0.02):
                break
        self._delivered = self.stage.starts[WORKER]

    def _mend(self) -> None:
        self.unthrottle()
        for function in (WORKER, *OTHERS):
            self.stage.pardon(function)
