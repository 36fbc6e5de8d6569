"""What can be broken, and the scenarios that say what breaks together."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import psycopg

from infra.template import ROOT
from tests.chaos.producer import Promises, wishes_of
from tests.chaos.stage import CONNECTIONS, WORKER, Stage

_CHILDREN = 2  # at once; there may be few cores


class Breaker:
    """Breaks things on one stage. `injected` counts, by the fault's name; a fault that hit nothing does not count."""

    def __init__(self, stage: Stage, promises: Promises, chance: random.Random, name: str) -> None:
        self.stage, self.promises, self.chance, self.name = stage, promises, chance, name
        self.injected: Counter[str] = Counter()
        self._children: list[threading.Thread] = []

    # --- moments ------------------------------------------------------------------------------------------

    def kill_function(self) -> None:
        """SIGKILL a process in the middle of an invocation."""
        functions = [WORKER] * 6 + ["record-failure", "reconcile"]
        self.chance.shuffle(functions)
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            for function in dict.fromkeys(functions):
                if self.stage.busy(function) and self._kill_soon(function):
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

    def restart_postgres(self) -> None:
        """Stop Postgres as a crash does, and start it again."""
        self._take_postgres_away(self.chance.uniform(0, 0.4))
        self.injected["Postgres crashed and restarted"] += 1

    def keep_postgres_down(self) -> None:
        """Stop Postgres for so long that QStash gives up the messages it has under way."""
        self._take_postgres_away(self.chance.uniform(0.8, 1.2))
        self.injected["Postgres down until QStash gave up"] += 1

    def _take_postgres_away(self, seconds: float) -> None:
        self.stage.postgres.stop(immediate=True)
        time.sleep(seconds)
        self.stage.postgres.start()

    def sever_sockets(self) -> None:
        """Let the functions' connections to Postgres go dead."""
        self.injected["sockets gone dead"] += self.stage.sever(forever=self.chance.random() < 0.25)

    def stop_qstash(self) -> None:
        """QStash is down for a moment; requests under way are broken off."""
        self.stage.call(self.stage.cloud.qstash.stop())
        time.sleep(self.chance.uniform(0.1, 0.6))
        self.stage.call(self.stage.cloud.qstash.start())
        self.injected["QStash down"] += 1

    def exhaust_connections(self) -> None:
        """Take all connections that Postgres has, for a moment."""
        with ExitStack() as taken, suppress(psycopg.OperationalError):
            try:
                for _ in range(CONNECTIONS):
                    taken.enter_context(
                        psycopg.connect(self.stage.cloud.database_url, autocommit=True, connect_timeout=2)
                    )
            finally:
                self.injected["Postgres connections exhausted"] += 1
                time.sleep(self.chance.uniform(0.1, 0.4))

    def kill_producer(self) -> None:
        """A producer in a process of its own, killed at a step of enqueue or at any moment; its word counts."""
        if sum(child.is_alive() for child in self._children) >= _CHILDREN:
            return
        seed, count = f"{self.name}/child{len(self._children)}", 40
        command = [sys.executable, "-m", "tests.chaos.producer", "--seed", seed, "--count", str(count)]
        step = self.chance.choice(["publish", "stamp", None])
        if step is not None:
            command += ["--die-at", step, "--calls", str(self.chance.randint(1, 12))]
        self.promises.wishes |= {wanted.tag: wanted for wanted in wishes_of(seed, count)}
        moment = self.chance.uniform(0.01, 0.5) if step is None else None
        listener = threading.Thread(target=self._listen, args=(command, moment))
        self._children.append(listener)
        listener.start()

    def _listen(self, command: list[str], moment: float | None) -> None:
        """Hear a producer to its end, which comes `moment` seconds after its first word if it does not end itself."""
        doom = threading.Timer(moment or 0.0, lambda: None)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as child:
            assert child.stdout is not None
            for number, line in enumerate(child.stdout):
                if number == 0 and moment is not None:
                    doom = threading.Timer(moment, child.kill)
                    doom.start()
                self._hear(line)
        doom.cancel()
        if child.returncode == -signal.SIGKILL:
            self.injected["producer killed"] += 1
        elif child.returncode:
            self.promises.broken.append(f"a producer ended with {child.returncode}")

    def _hear(self, line: str) -> None:
        words = line.split()
        match words:
            case ["accepted", tag, job_id] if line.endswith("\n"):
                self.promises.tell("accepted", tag, UUID(job_id))
            case ["rolled-back", tag, _]:
                self.promises.tell("rolled back", tag, None)

    def end_leases_early(self) -> None:
        """Take the lease of attempts that are running, and have the jobs run again: the old ones are stale now."""
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            taken = self.stage.execute(
                "UPDATE job_executions SET lease_expires_at = now() WHERE status = 'processing' RETURNING job_id"
            )
            if taken:
                self.injected["leases taken from running attempts"] += len(taken)
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

    def skew_clocks(self) -> None:
        """The functions' clocks are up to half a minute off from now on."""
        self.stage.set_skew(self.chance.choice([-30.0, 30.0, 15.0]))
        self.injected["clocks skewed (times it was set)"] += 1

    def drop_callbacks(self) -> None:
        """QStash loses its callbacks from now on."""
        self.stage.cloud.qstash.faults.drop_callbacks()
        self.injected["callbacks dropped (times it was set)"] += 1

    # ------------------------------------------------------------------------------------------------------

    @contextmanager
    def breaking(self, scenario: Scenario, pace: float) -> Iterator[None]:
        """Break things at random moments while the block runs, `pace` seconds apart on average; then mend all."""
        for lasting in scenario.lasting:
            lasting(self)
        over = threading.Event()
        failed: list[BaseException] = []

        def work() -> None:
            try:
                while not over.wait(self.chance.uniform(0.2 * pace, 1.8 * pace)):
                    self.chance.choice(scenario.moments)(self)
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=work, name="chaos")
        if scenario.moments:
            thread.start()
        try:
            yield
        finally:
            over.set()
            if scenario.moments:
                thread.join()
            self._mend()
            for child in self._children:
                child.join()
        if failed:
            raise RuntimeError("the chaos itself broke") from failed[0]

    def _mend(self) -> None:
        self.stage.cloud.qstash.faults.clear()
        self.stage.set_concurrency(None)
        self.stage.set_skew(0.0)


Moment = Callable[[Breaker], None]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Faults that happen at random moments, and those that last as long as the load.

    `never`: types of recorded errors that these faults must not lead to.
    """

    moments: tuple[Moment, ...] = ()
    lasting: tuple[Moment, ...] = ()
    never: tuple[str, ...] = ()


_EVERYTHING = Scenario(
    moments=(
        *[Breaker.kill_function] * 5,
        Breaker.restart_postgres,
        Breaker.keep_postgres_down,
        Breaker.sever_sockets,
        Breaker.stop_qstash,
        Breaker.exhaust_connections,
        Breaker.kill_producer,
        Breaker.duplicate,
        Breaker.throttle,
        Breaker.skew_clocks,
        Breaker.drop_callbacks,
    )
)
SCENARIOS = {
    "kills": Scenario(moments=(Breaker.kill_function,)),
    "postgres": Scenario(moments=(Breaker.restart_postgres,)),
    "sockets": Scenario(moments=(Breaker.sever_sockets,)),
    "qstash": Scenario(moments=(Breaker.stop_qstash,)),
    "duplicates": Scenario(
        moments=(Breaker.duplicate,), lasting=(Breaker.duplicate,), never=("AttemptLost",)
    ),
    "producers": Scenario(moments=(Breaker.kill_producer,)),
    "callbacks": Scenario(
        moments=(Breaker.keep_postgres_down, Breaker.kill_function), lasting=(Breaker.drop_callbacks,)
    ),
    "clocks": Scenario(
        moments=(Breaker.skew_clocks,),
        lasting=(Breaker.skew_clocks,),
        never=("AttemptLost", "DeliveryFailed"),
    ),
    "throttling": Scenario(moments=(Breaker.exhaust_connections,), lasting=(Breaker.throttle,)),
    "fencing": Scenario(moments=(Breaker.end_leases_early,), lasting=(Breaker.duplicate,)),
    "all": _EVERYTHING,
}
