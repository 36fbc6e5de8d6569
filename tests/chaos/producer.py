"""Producers: they ask for what is wanted, in every way there is, and tell what they are told.

`python -m tests.chaos.producer` is one in a process of its own, to be killed.
"""

# ruff: noqa: T201  # its output is its result
from __future__ import annotations

import argparse
import logging
import os
import random
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from shared import database, dispatcher, publishing
from shared.dispatcher import JobRequest
from shared.errors import DatabaseUnavailable, JobHasEnded
from shared.fault_points import FaultPoint
from tests.chaos import clock, doom, jobs
from tests.chaos.promises import Promises, Step
from tests.chaos.wishes import Errand, Wish, errands

Tell = Callable[[Step, str, UUID | None], None]
CALLBACK = "CHAOS_CALLBACK"  # the URL that failure callbacks go to


class Producer:
    """Does one errand after the other, and tells what it is told."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._connection: psycopg.Connection[Any] | None = None

    def do(self, errand: Errand) -> None:
        """Do one errand. Never raises for what may break."""
        time.sleep(errand.pause)
        try:
            self._do(errand)
        except (DatabaseUnavailable, psycopg.Error):
            self.close()
            time.sleep(0.1)

    def close(self) -> None:
        """Let its connection go."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _do(self, errand: Errand) -> None:
        wish = errand.wishes[0]
        match errand.way:
            case "plain" | "chain" | "replayed":
                self._accepted([wish], [_enqueue(wish)])
            case "keyed":
                self._accepted([wish], [_insist(wish)])
                self._accepted([wish], [_insist(wish)])
            case "transaction":
                with dispatcher.transaction(self._connected()) as connection:
                    job_id = _order(connection, wish)
                self._accepted([wish], [job_id])
            case "bare":
                with self._connected().transaction():
                    job_id = _order(self._connected(), wish)
                self._accepted([wish], [job_id])
            case "rolled back":
                self._tell("rolled back", wish.tag, None)
                with suppress(_ChangedMind), dispatcher.transaction(self._connected()) as connection:
                    _order(connection, wish)
                    raise _ChangedMind
            case "many":
                told = dispatcher.enqueue_many(_request(each) for each in errand.wishes)
                self._accepted(errand.wishes, [each.job_id for each in told])
            case "batch":
                *members, then = errand.wishes
                batch = dispatcher.enqueue_batch([_request(each) for each in members], _request(then))
                self._accepted(errand.wishes, [*batch.job_ids, batch.then_job_id])
            case "cancelled":
                job_id = _enqueue(wish)
                self._accepted([wish], [job_id])
                self._cancel(wish.tag, job_id, errand.chance)

    def _accepted(self, wishes: Sequence[Wish], job_ids: Sequence[UUID]) -> None:
        for wish, job_id in zip(wishes, job_ids, strict=True):
            self._tell("accepted", wish.tag, job_id)

    def _cancel(self, tag: str, job_id: UUID, chance: float) -> None:
        time.sleep(max(0.0, chance - 0.3))
        self._tell("cancelling", tag, None)
        try:
            dispatcher.cancel(job_id)
        except JobHasEnded:
            self._tell("too late to cancel", tag, None)
        else:
            self._tell("cancelled", tag, None)

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True, connect_timeout=5)
        return self._connection


class _ChangedMind(Exception):
    """The caller rolls back."""


def _request(wish: Wish) -> JobRequest:
    """Half of those that are to wait say so by their own clock."""
    by_clock = wish.delay is not None and wish.delay > 0.5
    file = Path(os.environ[clock.VARIABLE])
    return JobRequest(
        wish.payload,
        retries=wish.retries,
        delay=None if by_clock else wish.delay,
        not_before=clock.delayed("producer", file, wish.delay or 0.0) if by_clock else None,
        idempotency_key=wish.key,
        failure_callback=os.environ[CALLBACK] if wish.told else None,
    )


def _enqueue(wish: Wish, connection: psycopg.Connection[Any] | None = None) -> UUID:
    asked = _request(wish)
    return dispatcher.enqueue(
        asked.payload,
        retries=asked.retries,
        delay=asked.delay,
        not_before=asked.not_before,
        idempotency_key=asked.idempotency_key,
        failure_callback=asked.failure_callback,
        connection=connection,
    )


def _order(connection: psycopg.Connection[Any], wish: Wish) -> UUID:
    connection.execute("INSERT INTO chaos_orders (tag) VALUES (%s)", [wish.tag])
    return _enqueue(wish, connection)


def _insist(wish: Wish) -> UUID:
    """Ask with an idempotency key until there is an answer."""
    for _ in range(100):
        try:
            return _enqueue(wish)
        except DatabaseUnavailable:
            time.sleep(0.1)
    raise DatabaseUnavailable("it never came back")


def in_threads(
    asked: Sequence[Errand],
    promises: Promises,
    threads: int,
    over: threading.Event | None = None,
    room: threading.Event | None = None,
) -> list[threading.Thread]:
    """Producers in threads of this process, started; they wait for `room`, and stop early once it is `over`."""

    def work(share: Sequence[Errand]) -> None:
        producer = Producer(promises.tell)
        try:
            for errand in share:
                while room is not None and not room.wait(0.1) and not (over and over.is_set()):
                    pass
                if over is not None and over.is_set():
                    break
                producer.do(errand)
        except Exception:
            promises.broken.append(f"a producer met what it must not: {traceback.format_exc()}")
        finally:
            producer.close()
            database.discard()

    started = [threading.Thread(target=work, args=(asked[number::threads],)) for number in range(threads)]
    for thread in started:
        thread.start()
    return started


# --- in a process of its own --------------------------------------------------------------------------------


def errands_of(seed: str, jobs_wanted: int, pause: float) -> list[Errand]:
    """What the process with this seed does."""
    return errands(random.Random(seed), seed, jobs_wanted, pause)


def main() -> None:
    """Ask, and print each step at once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", required=True)
    parser.add_argument("--jobs", type=int, required=True)
    parser.add_argument("--pause", type=float, default=0.01)
    parser.add_argument("--die-at", choices=[point.name for point in FaultPoint], nargs="*", default=[])
    parser.add_argument("--times", type=int, default=1)
    options = parser.parse_args()
    for name in ("posthaste", "psycopg"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    clock.install("producer")
    jobs.install()
    for name in options.die_at:
        doom.arm(FaultPoint[name], options.times)

    def tell(step: Step, tag: str, job_id: UUID | None) -> None:
        print(step.replace(" ", "-"), tag, job_id, flush=True)

    producer = Producer(tell)
    for errand in errands_of(options.seed, options.jobs, options.pause):
        producer.do(errand)
    publishing.close()


if __name__ == "__main__":
    main()
