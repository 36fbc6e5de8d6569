"""Every other end of an attempt: one guarded write, and the answer that follows from it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from shared import database, executions
from shared.answers import Answer
from shared.delivery.claiming import answer_standing, find_standing
from shared.delivery.state import State
from shared.delivery.telling import report
from shared.errors import SecretUnavailable
from shared.failures import Failure
from shared.fault_points import FaultPoint, reach
from shared.observability import logger
from shared.rows import ClaimedJob, Ended

_KEY_SECONDS = 300.0  # until a job is tried again that waits for a key


def cancel(state: State[Any], reason: str) -> Answer:
    """End the job as cancelled by its own handler."""

    def write(connection: database.Connection, claimed: ClaimedJob) -> Ended | None:
        return executions.cancel_attempt(connection, claimed.job_id, claimed.attempt, reason)

    return _end(state, write, {"cancelled"}, reason)


def record(
    state: State[Any], failure: Failure, *, permanent: bool = False, retry_after: float | None = None
) -> Answer:
    """Record what went wrong: another attempt while there are any, unless it is `permanent`."""

    def write(connection: database.Connection, claimed: ClaimedJob) -> Ended | None:
        return executions.record_failed_attempt(
            connection,
            claimed.job_id,
            claimed.attempt,
            type=failure.type,
            message=failure.message,
            traceback=failure.traceback,
            permanent=permanent,
            retry_after=retry_after,
        )

    return _end(state, write, {"retrying", "failed"}, failure.message, retry_after)


def give_back(state: State[Any], error: SecretUnavailable) -> Answer:
    """What is sealed cannot be opened, or the result not sealed. An operator can mend that: it costs no attempt."""
    reason = str(error)
    logger.error("the job waits for a key", extra={"reason": reason})

    def write(connection: database.Connection, claimed: ClaimedJob) -> Ended | None:
        return executions.give_back_attempt(connection, claimed.job_id, claimed.attempt, reason, _KEY_SECONDS)

    answer = _end(state, write, {"retrying"}, reason, _KEY_SECONDS)
    return replace(answer, body={**answer.body, "waits": "for a key"}) if answer.status == 503 else answer


def _end(
    state: State[Any],
    write: Callable[[database.Connection, ClaimedJob], Ended | None],
    statuses: Collection[str],
    reason: str,
    retry_after: float | None = None,
) -> Answer:
    claimed = state.known_claim()
    if state.job is not None:
        state.job.end()
    ended = database.run(lambda connection: write(connection, claimed))
    if ended is None:
        return answer_lost(state, statuses, reason, retry_after)
    reach(FaultPoint.ATTEMPT_ENDED)
    return report(state, ended.status, ended, reason, retry_after)


def answer_lost(
    state: State[Any], statuses: Collection[str], reason: str | None, retry_after: float | None = None
) -> Answer:
    """A guarded write hit no row: it was ours, and its acknowledgement was lost, or the attempt is stale."""
    claimed, standing = state.known_claim(), find_standing(state)
    reach(FaultPoint.STALE)
    if (
        standing is not None
        and standing.status in statuses
        and (standing.attempt, standing.publication) == (claimed.attempt, state.delivery.envelope.publication)
    ):
        return report(state, standing.status, None, reason, retry_after)
    return answer_standing(state)
