"""Those who act beside the producers while things break: one who replays dead letters, one who fires schedules."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Literal
from uuid import UUID

from shared import database, dispatcher, schedules
from shared.errors import DatabaseUnavailable, JobHasEnded, JobNotEnded, NothingToReplay, PublishFailed
from tests.chaos.jobs import PLENTY, Effect
from tests.chaos.promises import Promises
from tests.chaos.stage import Stage
from tests.chaos.wishes import Wish

_NEVER = "0 0 1 1 *"  # fired by us alone


class Owner:
    """Acts again and again, every `pace` seconds, in a thread of its own, until it is over."""

    def __init__(self, act: Callable[[], None], promises: Promises, pace: float) -> None:
        self._act, self._promises, self._pace = act, promises, pace
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Act no more."""
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            while not self._over.wait(self._pace):
                try:
                    self._act()
                except (DatabaseUnavailable, PublishFailed):
                    continue
        except Exception:
            self._promises.broken.append(f"an owner met what it must not: {traceback.format_exc()}")
        finally:
            database.discard()


def replayer(stage: Stage, promises: Promises) -> Callable[[], None]:
    """Runs dead letters again: one alone, several together. Whoever names a failure callback is heard first."""
    done: set[str] = set()

    def act() -> None:
        ready = [
            wish for wish in list(promises.wishes.values()) if _can_be_replayed(stage, promises, wish, done)
        ]
        if len(ready) > 1:
            _replay(promises, ready, done)
        for wish in ready[:1]:
            _retry(promises, wish, done)

    return act


def _can_be_replayed(stage: Stage, promises: Promises, wish: Wish, done: set[str]) -> bool:
    job_id = promises.accepted.get(wish.tag)
    if wish.way != "replayed" or wish.tag in done or job_id is None:
        return False
    return not wish.told or (str(job_id), 1) in stage.callbacks.told


def _replay(promises: Promises, wishes: Sequence[Wish], done: set[str]) -> None:
    """All that have failed. Those of them that run again are known by their ids."""
    tags: dict[UUID, str] = {promises.accepted[wish.tag]: wish.tag for wish in wishes}
    for tag in tags.values():
        promises.tell("replaying", tag)
    try:
        replayed = dispatcher.replay(job_ids=list(tags))
    except NothingToReplay:
        return
    for job_id in replayed:
        promises.tell("replayed", tags[job_id])
        done.add(tags[job_id])


def _retry(promises: Promises, wish: Wish, done: set[str]) -> None:
    if wish.tag in done:
        return
    promises.tell("replaying", wish.tag)
    try:
        dispatcher.retry(promises.accepted[wish.tag])
    except JobNotEnded:
        return
    except JobHasEnded:  # completed in a run that an unanswered call began
        done.add(wish.tag)
    else:
        promises.tell("replayed", wish.tag)
        done.add(wish.tag)


def scheduler(stage: Stage, promises: Promises, name: str) -> Callable[[], None]:
    """Fires two schedules, one of which does not run twice at once; two firings at once."""
    overlaps: tuple[Literal["allow", "skip"], ...] = ("allow", "skip")
    made: set[str] = set()

    def act() -> None:
        for overlap in overlaps:
            tag, schedule_id = f"{name}/schedule/{overlap}", f"{name}-{overlap}"
            if tag not in made:
                payload = Effect(tag=tag, milliseconds=60)
                schedules.schedule(payload, _NEVER, schedule_id=schedule_id, overlap=overlap, retries=PLENTY)
                made.add(tag)
            for _ in range(2):
                _fire(stage, promises, tag, schedule_id)

    return act


def _fire(stage: Stage, promises: Promises, tag: str, schedule_id: str) -> None:
    try:
        message_id = stage.call(stage.cloud.qstash.trigger(schedule_id))
    except (RuntimeError, KeyError):  # QStash is down, or has not heard of it yet
        return
    promises.fired.setdefault(tag, []).append(message_id)
