"""A job's life as a line of moments, oldest first: what put it there, its attempts, and what it put there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from functions.jobs_api.shapes import AttemptError, Job, JobReference

_ENDED = {"completed": "completed", "cancelled": "was cancelled", "failed": "failed for good"}


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened; `kind` is a status, for its colour. `seconds` since what was before."""

    kind: str
    title: str
    at: datetime | None
    seconds: float | None = None
    error: AttemptError | None = None
    parent: JobReference | None = None
    batch: UUID | None = None
    children: Sequence[JobReference] = ()


def timeline(job: Job) -> list[Moment]:
    """Accepted, each attempt that failed, the one that runs or the end, the next jobs; spans are to the moment before."""
    moments = [Moment("pending", "Accepted", job.created_at, parent=job.parent, batch=job.completes_batch)]
    moments += [_failed(error) for error in job.errors]
    return [*_spaced(moments + list(_now(job))), *_next(job)]


def _now(job: Job) -> Iterator[Moment]:
    """How the job stands, where no error says so."""
    if job.status == "processing":
        yield Moment("processing", f"Attempt {job.attempt} runs", job.started_at)
    elif job.status == "completed":
        took = _seconds(job.started_at, job.completed_at)
        yield Moment("completed", f"Attempt {job.attempt} completed", job.completed_at, took)
    elif job.status in _ENDED and (job.status == "cancelled" or not job.errors):
        yield Moment(job.status, f"It {_ENDED[job.status]}", job.completed_at)
    elif job.status in {"pending", "retrying"}:
        yield Moment(job.status, "Waits for its next attempt", job.not_before or job.updated_at)


def _next(job: Job) -> Iterator[Moment]:
    if job.children:
        yield Moment("next", "Then", job.children[0].created_at, children=job.children)


def _failed(error: AttemptError) -> Moment:
    run = f" of run {error.run}" if error.run and error.run > 1 else ""
    what = f"Attempt {error.attempt}{run} failed" if error.attempt else "Was not delivered"
    return Moment("failed", what, error.at, error=error)


def _spaced(moments: list[Moment]) -> Iterator[Moment]:
    before = [None, *(moment.at for moment in moments)]
    for earlier, moment in zip(before, moments, strict=False):
        yield replace(moment, seconds=moment.seconds or _seconds(earlier, moment.at))


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None or end < begin else (end - begin).total_seconds()
