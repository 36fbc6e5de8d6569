"""Producers: what they want run, how they ask for it, and what they have been promised.

`python -m tests.chaos.producer` is one in a process of its own, to be killed.
"""

# ruff: noqa: T201  # its output is its result
from __future__ import annotations

import argparse
import os
import random
import signal
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import psycopg

from shared import database, dispatcher, publishing, relay
from shared.errors import DatabaseUnavailable
from tests.chaos.jobs import Effect, Ending

Way = Literal["plain", "keyed", "transaction", "bare", "rolled back"]
Step = Literal["trying", "accepted", "rolled back"]
Tell = Callable[[Step, str, UUID | None], None]
PLENTY = 50  # retries of a job that must succeed
_ENDINGS: dict[Ending, str] = {
    "completes": "completed",
    "raises": "completed",
    "retries": "completed",
    "fails": "failed",
    "cancels": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """One job that a producer will ask for. `ends_as` is the status it must get, whatever breaks."""

    payload: Effect
    way: Way
    delay: float | None
    retries: int
    pause: float

    @property
    def tag(self) -> str:
        return self.payload.tag

    @property
    def ends_as(self) -> str:
        return "failed" if self.payload.unlucky > self.retries else _ENDINGS[self.payload.ends]


@dataclass(slots=True)
class Promises:
    """What producers have been told. A tag that was tried and never answered may have been accepted or not."""

    wishes: dict[str, Wish] = field(default_factory=dict)
    accepted: dict[str, UUID] = field(default_factory=dict)
    rolled_back: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def tell(self, step: Step, tag: str, job_id: UUID | None) -> None:
        """Take note of a producer's word."""
        if step == "rolled back":
            self.rolled_back.add(tag)
        elif step == "accepted" and job_id is not None:
            known = self.accepted.setdefault(tag, job_id)
            if known != job_id:
                self.broken.append(f"{tag}: one idempotency key, two jobs: {known} and {job_id}")


def wish(chance: random.Random, tag: str, pause: float) -> Wish:
    """A seeded random wish."""
    endings: list[Ending] = ["completes", "raises", "retries", "fails", "cancels"]
    ends = chance.choices(endings, [12, 4, 2, 2, 1])[0]
    doomed = chance.random() < 0.05
    unlucky = 9 if doomed else chance.randint(1, 2)
    payload = Effect(
        tag=tag,
        ends="raises" if doomed else ends,
        unlucky=unlucky if doomed or ends in {"raises", "retries"} else 0,
        milliseconds=chance.choice([0, 0, 2, 5, 20, 60, 150]),
    )
    ways: list[Way] = ["plain", "keyed", "transaction", "bare", "rolled back"]
    return Wish(
        payload=payload,
        way=chance.choices(ways, [10, 4, 4, 1, 2])[0],
        delay=chance.choice([0.3, 1.0]) if chance.random() < 0.1 else None,
        retries=2 if doomed else PLENTY,
        pause=chance.uniform(0, 2 * pause),
    )


class Producer:
    """Asks for jobs, one after the other, and tells what it is told."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._connection: psycopg.Connection[Any] | None = None

    def ask(self, wanted: Wish) -> None:
        """Ask for one job. Never raises for what may break."""
        time.sleep(wanted.pause)
        self._tell("trying", wanted.tag, None)
        try:
            job_id = self._ask(wanted)
        except (DatabaseUnavailable, psycopg.Error):
            self.close()
            time.sleep(0.1)
        else:
            if job_id is not None:
                self._tell("accepted", wanted.tag, job_id)

    def close(self) -> None:
        """Let its connection go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _ask(self, wanted: Wish) -> UUID | None:
        match wanted.way:
            case "plain":
                return dispatcher.enqueue(wanted.payload, delay=wanted.delay, retries=wanted.retries)
            case "keyed":
                self._tell("accepted", wanted.tag, _insist(wanted))
                return _insist(wanted)
            case "transaction":
                with dispatcher.transaction(self._connected()) as connection:
                    return _order(connection, wanted)
            case "bare":
                with self._connected().transaction():
                    return _order(self._connected(), wanted)
            case "rolled back":
                self._tell("rolled back", wanted.tag, None)
                with suppress(_ChangedMind), dispatcher.transaction(self._connected()) as connection:
                    _order(connection, wanted)
                    raise _ChangedMind
        return None

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, connect_timeout=5)
        return self._connection


class _ChangedMind(Exception):
    """The caller rolls back."""


def _order(connection: psycopg.Connection[Any], wanted: Wish) -> UUID:
    connection.execute("INSERT INTO chaos_orders (tag) VALUES (%s)", [wanted.tag])
    return dispatcher.enqueue(
        wanted.payload, delay=wanted.delay, retries=wanted.retries, connection=connection
    )


def _insist(wanted: Wish) -> UUID:
    """Ask with an idempotency key until there is an answer."""
    for _ in range(100):
        try:
            return dispatcher.enqueue(
                wanted.payload, delay=wanted.delay, retries=wanted.retries, idempotency_key=wanted.tag
            )
        except DatabaseUnavailable:
            time.sleep(0.1)
    raise DatabaseUnavailable("it never came back")


def ask_for_all(wishes: list[Wish], promises: Promises, threads: int) -> list[threading.Thread]:
    """Producers in threads of this process, started."""

    def work(share: list[Wish]) -> None:
        producer = Producer(promises.tell)
        try:
            for wanted in share:
                producer.ask(wanted)
        except Exception:
            promises.broken.append(f"a producer met what enqueue must not raise: {traceback.format_exc()}")
        finally:
            producer.close()
            database.discard()

    started = [threading.Thread(target=work, args=(wishes[number::threads],)) for number in range(threads)]
    for thread in started:
        thread.start()
    return started


# --- in a process of its own --------------------------------------------------------------------------------


def wishes_of(seed: str, count: int) -> list[Wish]:
    """What the process with this seed asks for."""
    chance = random.Random(seed)
    return [wish(chance, f"{seed}/{number}", 0.01) for number in range(count)]


def die_at(step: str, calls: int) -> None:
    """Kill this process at the given call of a step: right before it publishes, or before it stamps."""
    name = {"publish": "publish_accepted", "stamp": "_stamp"}[step]
    real, left = getattr(relay, name), [calls]

    def deadly(*arguments: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **named)

    vars(relay)[name] = deadly


def main() -> None:
    """Ask, and print each step at once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--die-at", choices=["publish", "stamp"])
    parser.add_argument("--calls", type=int, default=1)
    options = parser.parse_args()
    if options.die_at:
        die_at(options.die_at, options.calls)

    def tell(step: Step, tag: str, job_id: UUID | None) -> None:
        print(step.replace(" ", "-"), tag, job_id, flush=True)

    producer = Producer(tell)
    for wanted in wishes_of(options.seed, options.count):
        producer.ask(wanted)
    publishing.close()


if __name__ == "__main__":
    main()
