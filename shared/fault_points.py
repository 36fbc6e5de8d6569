"""Named places between two statements where a process may die, so that tests can have it die there.

Nothing happens at them in production: `reach` looks at an empty table. A test arms one, and it goes off once:

    with fault_points.armed(FaultPoint.CLAIMED):
        ...  # the first to get there meets a Crash

Each name says what has just been done and, by its comment, what has not been yet. docs/job-lifecycle.md says what holds
then and who heals it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum, auto


class FaultPoint(StrEnum):
    """Where a process can be made to die."""

    # Accepting jobs and publishing them
    RECORDED = auto()  # the jobs are committed; none is published
    BATCH_RECORDED = auto()  # a batch and its members are written; none is published
    COMMITTED = auto()  # the caller's transaction is over; its jobs are not published
    RESERVED = auto()  # jobs that a transaction wrote are kept from the sweep for a minute; none is published
    PUBLISHED = auto()  # QStash has answered one call; nothing of it is stamped
    REFUSED = auto()  # QStash refused a message for good; its job has not failed
    STAMPED = auto()  # one call of QStash is done with; the next is not made, the caller knows nothing
    PAYLOAD_KEPT = auto()  # a payload for a schedule's runs is in Postgres; no schedule names it
    SCHEDULED = auto()  # QStash has a schedule; payloads that it named before are not marked as removed
    UNSCHEDULED = auto()  # QStash has a schedule no more; its payloads are not marked as removed
    EVENT_WRITTEN = auto()  # a received event and its job are written; neither is committed

    # Acting on jobs
    CANCELLED = auto()  # the job is cancelled; its message is not withdrawn
    WITHDRAWN = auto()  # its message is withdrawn; the completion of its batch is not published
    REPLAYED = auto()  # new runs are committed; none is published

    # One delivery
    RUN_INSERTED = auto()  # a schedule's run has its row; it is not claimed
    CLAIMED = auto()  # the attempt is committed; its handler has not begun
    HANDLED = auto()  # the handler has ended; nothing of it is written
    COMPLETING = auto()  # `completed` is written in the job's transaction; it is not committed
    COMPLETED = auto()  # it is committed; what it sets off is not published, QStash not answered
    CONNECTIONS_CUT = auto()  # an attempt that timed out has no connection left; its end is not recorded
    STALE = auto()  # the attempt has found that it lost its job; QStash is not answered
    ATTEMPT_ENDED = auto()  # a failed or cancelled attempt's end is committed; nobody is told of it
    MEMBER_ENDED = auto()  # a batch's member has ended; if it was the last, the completion is not published
    FOLLOWED_UP = auto()  # what the end has set off is published; QStash is not answered

    # QStash has given a message up
    CALLBACK_VERIFIED = auto()  # the failure callback is QStash's; nothing is settled
    LOST_RUN_INSERTED = auto()  # a schedule's run that reached nobody has its row; it is not given back
    SETTLED = auto()  # the job is given back or failed; it is not published, nobody is told

    # The sweep
    GIVEN_BACK = auto()  # jobs whose lease expired are given back or failed; none is published, nobody told
    MOVED = auto()  # jobs whose function has moved are given back; none is published
    DEAD_LETTERS_SETTLED = auto()  # a page of QStash's dead letters is settled; the mark is where it was
    OVERDUE_TAKEN = auto()  # overdue jobs are kept from other sweeps; QStash is not asked for their messages
    GONE_SETTLED = auto()  # a job whose message is gone is given back or failed; the next one is not
    OUTBOX_TAKEN = auto()  # due jobs are kept from other sweeps for a minute; none is published
    OUTBOX_PUBLISHED = auto()  # QStash has them; none is stamped

    # A caller's own failure callback
    FAILURES_TAKEN = auto()  # failures are kept from others for a minute; nobody is told
    FAILURE_TOLD = auto()  # QStash has one's callback; that is not noted


class Crash(BaseException):
    """Stands for the death of the process, so `except Exception` lets it through.

    Only a worker catches it where a handler let it out: as the job's own error, like everything a handler raises.
    """


_actions: dict[FaultPoint, Callable[[], object]] = {}


def reach(point: FaultPoint) -> None:
    """Go on, unless this point is armed."""
    if _actions and (action := _actions.pop(point, None)) is not None:
        action()


def arm(point: FaultPoint, action: Callable[[], object]) -> None:
    """Have the next who reaches this point do `action`, once; to kill the process, for one."""
    _actions[point] = action


@contextmanager
def armed(point: FaultPoint) -> Iterator[None]:
    """The first who reaches this point while the block runs meets a Crash; nobody after the block."""

    def crash() -> None:
        raise Crash(point)

    arm(point, crash)
    try:
        yield
    finally:
        _actions.pop(point, None)
