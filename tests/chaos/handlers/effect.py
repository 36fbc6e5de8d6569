"""A worker that leaves one trace inside its job's transaction and one outside it, and ends as its payload says."""

from __future__ import annotations

import time
from uuid import uuid4

from shared import database
from shared.outcomes import Cancel, Complete, Fail, Outcome, Retry
from shared.worker import Job, job_worker
from tests.chaos import clock, doom, jobs
from tests.chaos.jobs import PLENTY, Effect

clock.install("function")
jobs.install()


class Unlucky(Exception):
    """What an attempt that is meant to fail raises."""


def run(job: Job[Effect]) -> Outcome:
    """Leave the traces, take the time, end."""
    with job.transaction() as connection:
        connection.execute(
            "INSERT INTO chaos_effects (job_id, run, attempt) VALUES (%s, %s, %s)",
            [job.id, job.run, job.attempt],
        )
        note_try(job)
        for member in job.batch():
            connection.execute(
                "INSERT INTO chaos_summaries (job_id, member, status) VALUES (%s, %s, %s)",
                [job.id, member.job_id, member.status],
            )
    time.sleep(job.payload.milliseconds / 1000)
    return end(job.payload, job.attempt, job.run)


handler = doom.watched(job_worker(Effect)(run))


def note_try(job: Job[Effect]) -> None:
    """On another connection, which commits at once. The id keeps a repeated INSERT from looking like another try."""
    values = [uuid4(), job.id, job.attempt, job.payload.tag]
    database.run(
        lambda own: own.execute(
            "INSERT INTO chaos_tries (id, job_id, attempt, tag) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            values,
        )
    )


def end(payload: Effect, attempt: int, run: int) -> Outcome:
    """How the payload wants this attempt to end."""
    match payload.ends:
        case "fails":
            return Fail("as intended")
        case "recovers" if run == 1:
            return Fail("as intended")
        case "cancels":
            return Cancel("as intended")
        case "retries" if attempt <= payload.unlucky:
            return Retry(after=1, reason="as intended")
        case "raises" if attempt <= payload.unlucky:
            raise Unlucky("as intended")
    return Complete({"attempt": attempt}, then=_following(payload))


def _following(payload: Effect) -> list[object]:
    if payload.next_tag is None:
        return []
    from shared.job_request import JobRequest  # few jobs need it

    return [JobRequest(Effect(tag=payload.next_tag), retries=PLENTY)]
