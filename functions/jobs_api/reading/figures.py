"""Counts and durations of a window, dead letters by what went wrong, and how the queue does.

Each looks at a bounded number of the newest jobs and says so where there are more.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from functions.jobs_api.access.callers import Caller
from functions.jobs_api.shapes import (
    DeadLetterGroup,
    DeadLetterGroups,
    Health,
    Statistics,
    Step,
    TypeStatistics,
)
from functions.jobs_api.sql import statement
from shared import database, executions
from shared.rows import QueueGauges

WINDOW, LONGEST_WINDOW = 86_400, 31 * 86_400  # seconds
HOUR = 3_600
_COUNTED = 100_000  # jobs of a window, the newest
_GROUPED = 2_000  # dead letters
_GAUGED = 10_000  # of an organization's, of each status
_STEPS = 60
_STEP_SECONDS = (60, 300, 600, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400)
_KEPT_SECONDS = 5.0
# The alarms' terms.
FAILURE_RATE, OLDEST_PENDING = 0.05, 300.0
_kept: dict[int | None, tuple[float, Health]] = {}


def statistics(caller: Caller, window: int = WINDOW, organization_id: int | None = None) -> Statistics:
    """What was accepted within the last `window` seconds, by type and status, and in steps."""
    seconds = next((each for each in _STEP_SECONDS if window / each <= _STEPS), _STEP_SECONDS[-1])
    now = datetime.now(UTC)
    begins = _floor(now - timedelta(seconds=window), seconds)
    steps = int((now - begins).total_seconds() // seconds) + 1
    values = {
        "organization_id": caller.scoped(organization_id),
        "window": window,
        "scan": _COUNTED,
        "begins": begins,
        "seconds": seconds,
        "steps": steps,
    }
    types = _rows("count_window", values)
    counted = {row["step"]: row for row in _rows("count_steps", values)}
    return Statistics(
        window=window,
        since=now - timedelta(seconds=window),
        complete=sum(row["jobs"] for row in types) < _COUNTED,
        types=[TypeStatistics.model_validate({**row, "type": row["job_type"]}) for row in types],
        step=seconds,
        steps=[_step(begins + timedelta(seconds=seconds * n), counted.get(n)) for n in range(steps)],
    )


def dead_letter_groups(caller: Caller, organization_id: int | None = None) -> DeadLetterGroups:
    """The newest dead letters by type and error, numbers and ids aside; the largest groups first."""
    values = {"organization_id": caller.scoped(organization_id), "scan": _GROUPED}
    rows = _rows("list_dead_letters", values)
    looked_at = rows[0]["scanned"] if rows else 0
    groups = [DeadLetterGroup.model_validate({**row, "type": row["job_type"]}) for row in rows]
    return DeadLetterGroups(groups=groups, looked_at=looked_at, complete=looked_at < _GROUPED)


def health(organization_id: int | None) -> Health:
    """How the queue does, or an organization's part of it; at most five seconds old.

    It is `unhealthy` where an alarm would ring: more than 5 % of the last hour's ended jobs failed, the oldest pending
    job has waited for more than five minutes, or a job is stuck. Dead letters alone are `degraded`.
    """
    measured_at, measured = _kept.get(organization_id, (0.0, None))
    if measured is None or not 0 <= time.time() - measured_at < _KEPT_SECONDS:
        measured = _measured(organization_id)
        if len(_kept) > 1_000:
            _kept.clear()
        _kept[organization_id] = (time.time(), measured)
    return measured


def forget() -> None:
    """Measure anew at the next call."""
    _kept.clear()


def _measured(organization_id: int | None) -> Health:
    values = {"organization_id": organization_id, "window": HOUR, "scan": _COUNTED}
    counts = {row["status"]: row["jobs"] for row in _rows("count_statuses", values)}
    gauges = _gauges(organization_id)
    ended = counts.get("completed", 0) + counts.get("failed", 0)
    rate = counts.get("failed", 0) / ended if ended else 0.0
    alarming, worrying = _alarming(rate, gauges), _worrying(gauges)
    total = sum(counts.values())
    return Health(
        health="unhealthy" if alarming else "degraded" if worrying else "healthy",
        reasons=alarming + worrying,
        counts={status: counts.get(status, 0) for status in _STATUSES},
        total_jobs=total,
        failure_rate=round(rate, 4),
        complete=total < _COUNTED,
        depth=gauges.depth,
        oldest_pending=round(gauges.oldest_pending, 1),
        stuck=gauges.stuck,
        dead_letters=gauges.dead_letters,
        unpublished=gauges.unpublished,
    )


_STATUSES = ("pending", "processing", "retrying", "completed", "failed", "cancelled")


def _gauges(organization_id: int | None) -> QueueGauges:
    if organization_id is None:
        return database.run(executions.measure_queue)
    values = {"organization_id": organization_id, "scan": _GAUGED}
    return QueueGauges(**_rows("measure_organization", values)[0])


def _alarming(rate: float, gauges: QueueGauges) -> list[str]:
    found = []
    if rate > FAILURE_RATE:
        found.append(f"{rate:.1%} of the last hour's ended jobs have failed (more than {FAILURE_RATE:.0%})")
    if gauges.oldest_pending > OLDEST_PENDING:
        found.append(f"the oldest pending job has waited for {gauges.oldest_pending:.0f} s (more than 300)")
    if gauges.stuck > 0:
        stuck = "job is stuck" if gauges.stuck == 1 else "jobs are stuck"
        found.append(f"{gauges.stuck} {stuck}: processing for over 10 minutes with an expired lease")
    return found


def _worrying(gauges: QueueGauges) -> list[str]:
    if not gauges.dead_letters:
        return []
    wait = "dead letter waits" if gauges.dead_letters == 1 else "dead letters wait"
    return [f"{gauges.dead_letters} {wait} for somebody"]


def _step(at: datetime, row: Mapping[str, Any] | None) -> Step:
    counted = row or {}
    return Step(
        at=at,
        accepted=counted.get("accepted", 0),
        completed=counted.get("completed", 0),
        failed=counted.get("failed", 0),
    )


def _floor(moment: datetime, seconds: int) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


def _rows(name: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return database.run(lambda kept: kept.execute(statement(name), values).fetchall())
