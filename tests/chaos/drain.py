"""After the load: let time pass without waiting for it, until nothing is left to do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tests.chaos.stage import Stage

_DONE = ("given_back", "dead_letters_settled", "gone", "published", "told")
_END_WAITS = """
UPDATE job_executions SET publish_after = least(publish_after, now())
WHERE status IN ('pending', 'retrying') AND published_at IS NULL
"""
_END_RESERVATIONS = """
UPDATE job_executions SET publish_after = least(publish_after, now())
WHERE status = 'failed' AND failure_callback IS NOT NULL AND failure_called_at IS NULL
"""
_END_PATIENCE = (
    "UPDATE job_executions SET deliver_by = least(deliver_by, now()) WHERE status IN ('pending', 'retrying')"
)
# Not before `then`: an attempt that began later may be running now, and a lease outlives every attempt.
_END_LEASES = """
UPDATE job_executions SET lease_expires_at = least(lease_expires_at, now())
WHERE status = 'processing' AND started_at < %s
"""
_UNFINISHED = "SELECT job_id, job_type, status, attempt, publication, error FROM job_executions WHERE completed_at IS NULL"


class Stuck(Exception):
    """Something was not over in time; the message lists it."""


@dataclass(frozen=True, slots=True)
class Drained:
    """How long it took: in seconds, and in sweeps of reconcile, each a lease and a minute or more of a job's time."""

    seconds: float
    sweeps: int


def drain(stage: Stage, limit: float) -> Drained:
    """Return once QStash holds nothing, every job has ended and two sweeps have found nothing to do. Raises Stuck."""
    started, sweeps, idle = time.monotonic(), 0, 0
    needed = 0
    while idle < 2:
        if time.monotonic() - started > limit:
            raise Stuck(_describe(stage))
        pass_time(stage)
        done = stage.reconcile()
        sweeps += 1
        idle = idle + 1 if _is_over(stage, done) else 0
        needed = needed if idle else sweeps
        time.sleep(0.02)
    return Drained(time.monotonic() - started, needed)


def pass_time(stage: Stage) -> None:
    """Make due what is waiting, and end the leases of attempts that are no more."""
    (row,) = stage.execute("SELECT clock_timestamp() AS then")
    if not stage.busy():
        stage.execute(_END_LEASES, [row["then"]])
    stage.pass_time()
    stage.execute(_END_WAITS)
    stage.execute(_END_RESERVATIONS)
    if stage.cloud.qstash.pending() == 0:
        stage.execute(_END_PATIENCE)


def _is_over(stage: Stage, done: dict[str, Any] | None) -> bool:
    return (
        done is not None
        and not any(done[name] for name in _DONE)
        and stage.cloud.qstash.pending() == 0
        and not stage.busy()
        and not stage.execute(f"{_UNFINISHED} LIMIT 1")
    )


def _describe(stage: Stage) -> str:
    rows = stage.execute(f"{_UNFINISHED} LIMIT 20")
    return "\n".join(
        ["unfinished:", *(str(row) for row in rows), "QStash holds:", *stage.describe_qstash()[:20]]
    )
