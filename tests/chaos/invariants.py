"""The delivery contract, checked from the database once all is over."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.producer import Promises
from tests.chaos.stage import Stage

_JOBS = """
SELECT job_id::text AS job_id, payload ->> 'tag' AS tag, status, attempt, max_attempts, error,
    jsonb_path_query_array(errors, '$[*].type') AS errors
FROM job_executions WHERE payload ->> 'tag' LIKE %s
"""
_OF_JOBS = "WHERE job_id IN (SELECT job_id FROM job_executions WHERE payload ->> 'tag' LIKE %s)"
_TERMINAL = {"completed", "failed", "cancelled"}


@dataclass(slots=True)
class Verdict:
    """How one run ended. `broken` has a line for each invariant that a job breaks."""

    accepted: int = 0
    unanswered: int = 0
    completed: int = 0
    ended_as_intended: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    tries_beyond_one: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def violations(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.stuck, *self.broken]


def judge(stage: Stage, promises: Promises, prefix: str) -> Verdict:
    """Compare what was promised to the jobs whose tags begin with `prefix` with what the database holds."""
    like = [f"{prefix}/%"]
    jobs = stage.execute(_JOBS, like)
    effects = Counter(
        row["job_id"] for row in stage.execute(f"SELECT job_id::text FROM chaos_effects {_OF_JOBS}", like)
    )
    tries: dict[str, list[int]] = defaultdict(list)
    for row in stage.execute(
        "SELECT job_id::text, attempt, tag FROM chaos_tries WHERE tag LIKE %s ORDER BY attempt", like
    ):
        tries[row["job_id"]].append(row["attempt"])
    ends: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in stage.execute(f"SELECT job_id::text, was, became FROM chaos_ends {_OF_JOBS}", like):
        ends[row["job_id"]].append((row["was"], row["became"]))
    verdict = Verdict(accepted=len(promises.accepted), broken=list(promises.broken))
    verdict.unanswered = sum(job["tag"] not in promises.accepted for job in jobs)
    for row in stage.execute(f"SELECT * FROM chaos_overtakings {_OF_JOBS}", like):
        verdict.doubled.append(
            f"{row['job_id']}: attempt {row['attempt']} lost a lease of {row['lease_left']}"
        )
    for job in jobs:
        verdict.errors.update(job["errors"])
        _judge_job(verdict, promises, job, effects[job["job_id"]], tries[job["job_id"]], ends[job["job_id"]])
    known = {job["job_id"] for job in jobs}
    verdict.lost += [
        f"{tag} {job_id}: accepted, and there is no such job"
        for tag, job_id in promises.accepted.items()
        if str(job_id) not in known
    ]
    verdict.broken += [f"{job_id}: ran and was never accepted" for job_id in tries if job_id not in known]
    verdict.broken += _disagreements(stage, promises, like, {job["tag"] for job in jobs})
    verdict.doubled += [
        f"{tag}: {count} jobs" for tag, count in Counter(job["tag"] for job in jobs).items() if count > 1
    ]
    return verdict


def _judge_job(
    verdict: Verdict,
    promises: Promises,
    job: dict[str, Any],
    effects: int,
    tries: list[int],
    ends: list[tuple[str, str]],
) -> None:
    name = f"{job['tag']} {job['job_id']}"
    wanted = promises.wishes[job["tag"]]
    completed = job["status"] == "completed"
    verdict.completed += completed
    verdict.ended_as_intended += not completed and job["status"] == wanted.ends_as
    verdict.tries_beyond_one += max(0, len(tries) - 1) if completed else 0
    if job["status"] not in _TERMINAL:
        verdict.stuck.append(f"{name}: {job['status']} at attempt {job['attempt']}")
        return
    if job["status"] != wanted.ends_as:
        verdict.broken.append(f"{name}: {job['status']} and not {wanted.ends_as}: {job['error']}")
    if len(ends) != 1:
        verdict.broken.append(f"{name}: ended {len(ends)} times: {ends}")
    if completed and effects == 0:
        verdict.lost.append(f"{name}: completed without its effect")
    if effects > completed:
        verdict.doubled.append(f"{name}: {job['status']} with {effects} effects")
    if completed and not tries:
        verdict.broken.append(f"{name}: completed and never ran")
    if len(set(tries)) != len(tries):
        verdict.doubled.append(f"{name}: one attempt ran twice: {tries}")
    if max([job["attempt"], *tries]) > job["max_attempts"]:
        verdict.broken.append(f"{name}: attempt {job['attempt']} of {job['max_attempts']}")
    if tries and max(tries) > job["attempt"]:
        verdict.broken.append(f"{name}: attempt {max(tries)} ran and the row says {job['attempt']}")


def _disagreements(stage: Stage, promises: Promises, like: list[str], tags: set[str]) -> Iterator[str]:
    """Jobs of transactions: there where, and only where, what was written beside them is."""
    orders = Counter(
        row["tag"] for row in stage.execute("SELECT tag FROM chaos_orders WHERE tag LIKE %s", like)
    )
    for tag, wanted in promises.wishes.items():
        if tag in promises.rolled_back and (tag in tags or tag in orders):
            yield f"{tag}: rolled back, and there"
        if wanted.way in {"transaction", "bare"} and (tag in tags) != (orders[tag] == 1):
            yield f"{tag}: {orders[tag]} orders, job there: {tag in tags}"
