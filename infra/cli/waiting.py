"""Wait for a job's end."""

from __future__ import annotations

import time

from functions.jobs_api.shapes import Job
from functions.jobs_api.wording import between, span
from infra.cli.api import part
from infra.cli.errors import NotDone
from infra.cli.session import Session

_FIRST, _LONGEST, _GROWTH = 0.25, 3.0, 1.3  # seconds between two looks
_ENDED = {"failed": "has failed", "cancelled": "was cancelled"}


def wait_for_end(session: Session, job_id: str, timeout: float, *, expected: bool = False) -> None:
    """Look at a job until it has ended, and print it. Raises NotDone unless it has completed within `timeout` seconds.

    A job that is `expected` is not there before its delivery, as a schedule's run.
    """
    job = _ended(session, job_id, timeout, expected=expected)
    if session.as_json:
        session.screen.emit(job)
    else:
        session.screen.show(f"{job.job_id} {job.status} after {between(job.started_at, job.completed_at)}")
    if job.status != "completed":
        why = f": {job.error}" if job.error else ""
        raise NotDone(f"{job.type} {job.job_id} {_ENDED[job.status]}{why}")


def _ended(session: Session, job_id: str, timeout: float, *, expected: bool) -> Job:
    ends_at, pause, before = time.monotonic() + timeout, _FIRST, ""
    while True:
        job = _find(session, job_id, expected=expected)
        if job is not None and job.completed_at is not None:
            return job
        now = "on its way" if job is None else f"{job.status}, attempt {job.attempt} of {job.max_attempts}"
        if now != before:
            session.screen.say(now, "dim")
        if time.monotonic() + pause > ends_at:
            raise NotDone(f"job {job_id} has not ended within {span(timeout)}, and goes on: it is {now}")
        session.sleep(pause)
        pause, before = min(pause * _GROWTH, _LONGEST), now


def _find(session: Session, job_id: str, *, expected: bool) -> Job | None:
    try:
        return session.api.get(f"/v1/jobs/{part(job_id)}", Job)
    except NotDone as error:
        if expected and error.code == NotDone.code:
            return None
        raise
