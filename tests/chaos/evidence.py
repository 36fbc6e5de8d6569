"""What the database holds about one run's jobs, read at once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.healing import Step
from tests.chaos.stage import Stage

_ENDED = {"completed", "failed", "cancelled"}
_JOBS = """
SELECT job_id::text AS job_id, payload ->> 'tag' AS tag, status, run, attempt, max_attempts, error, schedule_id,
    failure_callback IS NOT NULL AS tells, jsonb_path_query_array(errors, '$[*].type') AS errors,
    ARRAY(SELECT extract(epoch FROM (each ->> 'at')::timestamptz)::float FROM jsonb_array_elements(errors) AS each) AS errors_at
FROM job_executions WHERE payload ->> 'tag' LIKE %s
"""
_OF_JOBS = "WHERE job_id IN (SELECT job_id FROM job_executions WHERE payload ->> 'tag' LIKE %s)"
_EFFECTS = f"SELECT job_id::text, count(*)::int AS count FROM chaos_effects {_OF_JOBS} GROUP BY job_id"
_TRIES = "SELECT job_id::text, attempt FROM chaos_tries WHERE tag LIKE %s ORDER BY attempt"
_HISTORY = f"""
SELECT job_id::text, extract(epoch FROM at)::float AS at, status, run, attempt, errors, error_type, published,
    extract(epoch FROM not_before)::float AS not_before
FROM chaos_history {_OF_JOBS} ORDER BY number
"""
_ORDERS = "SELECT tag, count(*)::int AS count FROM chaos_orders WHERE tag LIKE %s GROUP BY tag"
_SUMMARIES = f"SELECT job_id::text, member::text, status FROM chaos_summaries {_OF_JOBS}"
_OVERTAKINGS = f"SELECT job_id::text, attempt, lease_left FROM chaos_overtakings {_OF_JOBS}"
_PATIENCE = f"SELECT job_id::text, extract(epoch FROM at)::float AS at FROM chaos_patience {_OF_JOBS}"


@dataclass(slots=True)
class Job:
    """One row and all that was written down about it. `patience`: when overdue was brought forward."""

    row: dict[str, Any]
    effects: int = 0
    tries: list[int] = field(default_factory=list)
    history: list[Step] = field(default_factory=list)
    summary: list[tuple[str, str]] = field(default_factory=list)
    patience: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.row['tag']} {self.row['job_id']}"

    @property
    def ends(self) -> list[Step]:
        """Each time it ended, or was changed after it had."""
        pairs = zip(self.history, self.history[1:], strict=False)
        return [after for before, after in pairs if after.status in _ENDED and before.status != after.status]

    def resurrections(self) -> list[Step]:
        """Changes of an ended run into anything else."""
        pairs = zip(self.history, self.history[1:], strict=False)
        return [
            after
            for before, after in pairs
            if before.status in _ENDED and before.status != after.status and before.run == after.run
        ]


@dataclass(slots=True)
class Evidence:
    """All jobs of a run by their ids, and what belongs to no job."""

    jobs: dict[str, Job]
    orders: dict[str, int]
    overtakings: list[dict[str, Any]]
    strangers: list[str]

    def tagged(self) -> dict[str, list[Job]]:
        """The jobs of each tag; schedules have many, everything else one."""
        found: dict[str, list[Job]] = defaultdict(list)
        for job in self.jobs.values():
            found[job.row["tag"]].append(job)
        return found


def gather(stage: Stage, prefix: str) -> Evidence:
    """Everything about the jobs whose tags begin with `prefix`."""
    like = [f"{prefix}/%"]
    jobs = {row["job_id"]: Job(row) for row in stage.execute(_JOBS, like)}
    for row in stage.execute(_EFFECTS, like):
        jobs[row["job_id"]].effects = row["count"]
    strangers = []
    for row in stage.execute(_TRIES, like):
        if row["job_id"] in jobs:
            jobs[row["job_id"]].tries.append(row["attempt"])
        else:
            strangers.append(row["job_id"])
    for row in stage.execute(_HISTORY, like):
        jobs[row.pop("job_id")].history.append(Step(**row))
    for row in stage.execute(_SUMMARIES, like):
        jobs[row["job_id"]].summary.append((row["member"], row["status"]))
    for row in stage.execute(_PATIENCE, like):
        jobs[row["job_id"]].patience.append(row["at"])
    orders = {row["tag"]: row["count"] for row in stage.execute(_ORDERS, like)}
    return Evidence(jobs, orders, stage.execute(_OVERTAKINGS, like), sorted(set(strangers)))
