"""The delivery contract, checked from the database once all is over."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from shared.envelope import scheduled_job_id
from tests.chaos.evidence import Evidence, Job
from tests.chaos.promises import Promises
from tests.chaos.wishes import Errand, Wish

_TERMINAL = {"completed", "failed", "cancelled"}
Told = Mapping[tuple[str, int], int]  # by job id and run, how often its failure was told


@dataclass(slots=True)
class Verdict:
    """How one run ended. The lists have a line for each invariant that a job breaks."""

    accepted: int = 0
    unanswered: int = 0
    completed: int = 0
    ended_as_intended: int = 0
    replayed: int = 0
    cancelled_by_owners: int = 0
    batches: int = 0
    chained: int = 0
    scheduled: int = 0
    failures_told: int = 0
    tries_beyond_one: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def violations(self) -> list[str]:
        """All of them."""
        return [*self.lost, *self.doubled, *self.stuck, *self.broken]


def judge(found: Evidence, promises: Promises, told: Told) -> Verdict:
    """Compare what was promised, and what was told, with what is there."""
    verdict = Verdict(accepted=len(promises.accepted), broken=list(promises.broken))
    by_tag = found.tagged()
    known = {tag: jobs[0] for tag, jobs in by_tag.items() if tag not in promises.fired}
    verdict.doubled += _doubles(found, promises)
    heard: dict[str, set[int]] = defaultdict(set)
    for job_id, run in told:
        heard[job_id].add(run)
    for job in found.jobs.values():
        verdict.errors.update(job.row["errors"])
        _judge_job(verdict, job)
        _judge_telling(verdict, job, heard[job.row["job_id"]])
    for tag, job in known.items():
        _judge_ending(verdict, promises, tag, job)
    for tag, accepted in promises.accepted.items():
        if str(accepted) not in found.jobs:
            verdict.lost.append(f"{tag} {accepted}: accepted, and there is no such job")
    verdict.broken += [f"{job_id}: ran and was never accepted" for job_id in found.strangers]
    for errand in promises.errands:
        _judge_errand(verdict, errand, known)
    for tag, message_ids in promises.fired.items():
        _judge_schedule(verdict, tag, message_ids, by_tag.get(tag, []))
    verdict.broken += _disagreements(promises, found.orders, known)
    return verdict


def _doubles(found: Evidence, promises: Promises) -> Iterator[str]:
    for row in found.overtakings:
        yield f"{row['job_id']}: attempt {row['attempt']} lost a lease of {row['lease_left']}"
    for tag, jobs in found.tagged().items():
        if tag not in promises.fired and len(jobs) > 1:
            yield f"{tag}: {len(jobs)} jobs"


# --- any job ------------------------------------------------------------------------------------------------


def _judge_job(verdict: Verdict, job: Job) -> None:
    row, tries = job.row, job.tries
    completed = row["status"] == "completed"
    verdict.completed += completed
    verdict.tries_beyond_one += max(0, len(tries) - 1) if completed else 0
    if row["status"] not in _TERMINAL:
        verdict.stuck.append(f"{job.name}: {row['status']} at attempt {row['attempt']}")
        return
    if len(job.ends) != row["run"] or job.resurrections():
        verdict.broken.append(f"{job.name}: {row['run']} runs ended {len(job.ends)} times: {job.ends}")
    if completed and job.effects == 0:
        verdict.lost.append(f"{job.name}: completed without its effect")
    if job.effects > completed:
        verdict.doubled.append(f"{job.name}: {row['status']} with {job.effects} effects")
    if completed and not tries:
        verdict.broken.append(f"{job.name}: completed and never ran")
    if len(set(tries)) != len(tries):
        verdict.doubled.append(f"{job.name}: one attempt ran twice: {tries}")
    if max([row["attempt"], *tries]) > row["max_attempts"]:
        verdict.broken.append(f"{job.name}: attempt {row['attempt']} of {row['max_attempts']}")
    if tries and max(tries) > row["attempt"]:
        verdict.broken.append(f"{job.name}: attempt {max(tries)} ran and the row says {row['attempt']}")


def _judge_telling(verdict: Verdict, job: Job, heard: set[int]) -> None:
    failed = {step.run for step in job.ends if step.status == "failed"}
    verdict.failures_told += len(heard)
    if job.row["tells"] and job.row["status"] in _TERMINAL:
        verdict.lost += [f"{job.name}: nobody was told that run {run} failed" for run in failed - heard]
    verdict.broken += [f"{job.name}: run {run} was said to have failed" for run in heard - failed]


def _judge_ending(verdict: Verdict, promises: Promises, tag: str, job: Job) -> None:
    wish = promises.wishes.get(tag)
    if wish is None:
        verdict.broken.append(f"{job.name}: nobody asked for it")
        return
    verdict.unanswered += tag not in promises.accepted and not tag.endswith("/then")
    if job.row["status"] not in _TERMINAL:
        return
    allowed = _allowed_endings(promises, wish, job)
    verdict.ended_as_intended += job.row["status"] != "completed" and job.row["status"] in allowed
    if job.row["status"] not in allowed:
        verdict.broken.append(f"{job.name}: {job.row['status']} and not {allowed}: {job.row['error']}")
    most, least = 1 + promises.count("replaying", tag), 1 + promises.count("replayed", tag)
    if not least <= job.row["run"] <= most:
        verdict.broken.append(f"{job.name}: {job.row['run']} runs, and not {least} to {most}")
    verdict.replayed += job.row["run"] > 1
    verdict.cancelled_by_owners += promises.count("cancelled", tag) > 0


def _allowed_endings(promises: Promises, wish: Wish, job: Job) -> set[str]:
    if promises.count("cancelled", wish.tag):
        return {"cancelled"}
    if wish.payload.ends == "recovers" and job.row["run"] > 1:
        return {"completed"}
    asked = promises.count("cancelling", wish.tag) > 0
    return {wish.ends_as, "cancelled"} if asked else {wish.ends_as}


# --- several jobs -------------------------------------------------------------------------------------------


def _judge_errand(verdict: Verdict, errand: Errand, known: Mapping[str, Job]) -> None:
    there = [known[wish.tag] for wish in errand.wishes if wish.tag in known]
    match errand.way:
        case "many" if len(there) not in {0, len(errand.wishes)}:
            verdict.lost.append(f"{errand.tag}: {len(there)} of {len(errand.wishes)} were accepted")
        case "batch" if there:
            verdict.batches += 1
            _judge_batch(verdict, errand, there)
        case "chain" if there:
            first, then = known.get(errand.tag), known.get(errand.wishes[1].tag)
            verdict.chained += then is not None
            completed = first is not None and first.row["status"] == "completed"
            if completed and then is None:
                verdict.lost.append(f"{errand.tag}: completed without the next job")
            if then is not None and not completed:
                verdict.broken.append(f"{errand.tag}: the next job is there and it is not completed")


def _judge_batch(verdict: Verdict, errand: Errand, there: list[Job]) -> None:
    *members, then = there
    if len(there) != len(errand.wishes) or then.row["tag"] != errand.wishes[-1].tag:
        verdict.lost.append(f"{errand.tag}: a batch has {len(there)} of {len(errand.wishes)} jobs")
        return
    if then.row["status"] != "completed":
        return  # which is said elsewhere
    ended = {(member.row["job_id"], member.row["status"]) for member in members}
    if set(then.summary) != ended or len(then.summary) != len(members):
        verdict.broken.append(f"{then.name}: was told {then.summary} of {sorted(ended)}")


def _judge_schedule(verdict: Verdict, tag: str, message_ids: Iterable[str], runs: list[Job]) -> None:
    fired = {str(scheduled_job_id(message_id)) for message_id in message_ids}
    there = {job.row["job_id"] for job in runs}
    verdict.scheduled += len(there)
    verdict.broken += [f"{tag}: {job_id} is there and was never fired" for job_id in there - fired]
    for job in runs:
        if job.row["status"] in {"failed", "cancelled"}:
            verdict.broken.append(f"{job.name}: {job.row['status']} and not completed: {job.row['error']}")
    if not tag.endswith("skip"):
        verdict.lost += [f"{tag}: fired, and run {job_id} is not there" for job_id in fired - there]
        return
    spans = sorted((job.history[0].at, job.history[-1].at, job.name) for job in runs)
    for (_begin, end, first), (begin, _end, second) in pairwise(spans):
        if begin < end:
            verdict.doubled.append(f"{second}: began while {first} was not over")


def _disagreements(promises: Promises, orders: Mapping[str, int], known: Mapping[str, Job]) -> Iterator[str]:
    """Jobs of transactions: there where, and only where, what was written beside them is."""
    for tag, wish in promises.wishes.items():
        if promises.count("rolled back", tag) and (tag in known or tag in orders):
            yield f"{tag}: rolled back, and there"
        if wish.way in {"transaction", "bare"} and (tag in known) != (orders.get(tag, 0) == 1):
            yield f"{tag}: {orders.get(tag, 0)} orders, job there: {tag in known}"
