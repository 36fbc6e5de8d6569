"""Every minute, from EventBridge, so that it works when QStash does not: heals what a crash or an outage left behind.

Several at once do no harm: each statement re-checks what it read and skips what another holds, and no lock is held over
HTTP. Work per run is bounded by time; the result says what was left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from shared import database, executions, relay, reporting, secrets, settings, settling
from shared.errors import DatabaseUnavailable
from shared.fault_points import FaultPoint, reach
from shared.observability import count, forget, logger, remember
from shared.settings import DispatcherSettings

_BATCH = 100
_MARGIN_SECONDS = 15.0  # one batch of publishes against a QStash that hangs

settings.check(DispatcherSettings)


def handler(_event: object, context: Any) -> dict[str, Any]:
    """Heal, publish, measure; what was done and what is left. Raises DatabaseUnavailable, for Lambda's own alarm."""
    forget()
    remember(request_id=context.aws_request_id)
    secrets.refresh()  # a deployment may have moved a function
    ends_at = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _MARGIN_SECONDS
    try:
        done = {
            "given_back": _until_done(_give_back_expired, ends_at),
            "moved": _until_done(lambda: relay.give_back_moved(_BATCH), ends_at),
            "dead_letters_settled": settling.settle_dead_letters(ends_at),
            "gone": _until_done(lambda: relay.give_back_gone(_BATCH, ends_at), ends_at),
            "published": _publish_due(ends_at),
            "told": _until_done(lambda: relay.tell_failures(limit=_BATCH, ends_at=ends_at), ends_at),
        }
        gauges = database.run(executions.measure_queue)
    except DatabaseUnavailable:
        logger.exception("nothing can be reconciled without Postgres")
        raise
    count(
        {
            "QueueDepth": gauges.depth,
            "OldestPending": gauges.oldest_pending,
            "Stuck": gauges.stuck,
            "DeadLetters": gauges.dead_letters,
            "Unpublished": gauges.unpublished,
        }
    )
    logger.info("reconciled", extra={**done, **asdict(gauges)})
    return {**done, **asdict(gauges)}


def _until_done(step: Callable[[], int], ends_at: float) -> int:
    """Repeat a step until it finds less than a batch or time is up; how much it did."""
    total = 0
    while time.monotonic() < ends_at:
        found = step()
        total += found
        if found < _BATCH:
            break
    return total


def _give_back_expired() -> int:
    expired = database.run(lambda connection: executions.requeue_expired(connection, _BATCH))
    reach(FaultPoint.GIVEN_BACK)
    for job in expired:
        reporting.settled(job)
    return len(expired)


def _publish_due(ends_at: float) -> int:
    published = 0
    while time.monotonic() < ends_at:
        taken, got_through = relay.publish_unpublished(_BATCH, ends_at)
        published += got_through
        if taken < _BATCH or got_through == 0:  # QStash is down: the rest would only wait for its time-outs
            break
    return published
