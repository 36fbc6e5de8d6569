"""After an end is committed: who is told of it, and the answer."""

from __future__ import annotations

from typing import Any

from shared import answers, reporting
from shared.answers import Answer
from shared.delivery.state import State
from shared.errors import JobTimeout
from shared.failures import cut, words
from shared.fault_points import FaultPoint, reach
from shared.observability import logger
from shared.rows import Ended


def report(
    state: State[Any], status: str, ended: Ended | None, reason: str | None, retry_after: float | None = None
) -> Answer:
    """Tell of what has just been committed, and turn it into the answer."""
    said = cut(reason or "")
    reporting.ended(state.config.type, status, None if ended is None else ended.duration, said)
    _follow_up(state, status)
    reach(FaultPoint.FOLLOWED_UP)
    match status:
        case "completed":
            return answers.done()
        case "cancelled":
            return answers.done(cancelled=True)
        case "retrying" if retry_after is not None:
            return answers.not_now(said, retry_after)
        case "retrying":
            return answers.failed_attempt(said)
    return answers.dead_letter(said)


def _follow_up(state: State[Any], status: str) -> None:
    """Publish what the job's end has set off. The end does not hang on it: reconcile publishes what is left."""
    claimed = state.known_claim()
    told = status == "failed" and claimed.failure_callback is not None
    if state.hurried or not (told or (claimed.batch_id is not None and status != "retrying")):
        return
    try:
        from shared import relay  # noqa: PLC0415  # few jobs ask for it

        if told:
            relay.tell_failures(claimed.job_id)
        if claimed.batch_id is not None:
            relay.publish_completion(claimed.batch_id)
    except (Exception, JobTimeout) as error:  # noqa: BLE001
        logger.warning("left to reconcile", extra={"reason": words(error)})
