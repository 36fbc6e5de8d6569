"""A job's life as a line of moments, oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from functions.jobs_api.shapes import AttemptError, Job

_ENDED = {"completed": "completed", "cancelled": "was cancelled", "failed": "failed for good"}


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened; `kind` is a status, for its colour. `seconds` since what was before."""

    kind: str
    title: str
    at: datetime | None
    seconds: float | None = None
    error: AttemptError | None = None


def timeline(job: Job) -> list[Moment]:
    """Accepted, each attempt that failed, the one that runs or the end; spans are to the moment before."""
    moments = [Moment("pending", "Accepted", job.created_at)]
    moments += [_failed(error) for error in job.errors]
    if job.status == "processing":
        moments.append(Moment("processing", f"Attempt {job.attempt} runs", job.started_at))
    elif job.status == "completed":
        took = _seconds(job.started_at, job.completed_at)
        return [
            *_spaced(moments),
            Moment("completed", f"Attempt {job.attempt} completed", job.completed_at, took),
        ]
    elif job.status in _ENDED and (job.status == "cancelled" or not job.errors):
        moments.append(Moment(job.status, f"It {_ENDED[job.status]}", job.completed_at))
    elif job.status in {"pending", "retrying"}:
        moments.append(Moment(job.status, "Waits for its next attempt", job.not_before or job.updated_at))
    return _spaced(moments)


def _failed(error: AttemptError) -> Moment:
    run = f" of run {error.run}" if error.run and error.run > 1 else ""
    what = f"Attempt {error.attempt}{run} failed" if error.attempt else "Was not delivered"
    return Moment("failed", what, error.at, error=error)


def _spaced(moments: list[Moment]) -> list[Moment]:
    before = [None, *(moment.at for moment in moments)]
    return [
        Moment(moment.kind, moment.title, moment.at, _seconds(earlier, moment.at), moment.error)
        for earlier, moment in zip(before, moments, strict=False)
    ]


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None or end < begin else (end - begin).total_seconds()
