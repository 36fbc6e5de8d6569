"""A worker that leaves one trace inside its job's transaction and one outside it, and ends as its payload says."""

from __future__ import annotations

import time
from uuid import uuid4

from shared import database
from shared.outcomes import Cancel, Complete, Fail, Outcome, Retry
from shared.worker import Job, job_worker
from tests.chaos import clock
from tests.chaos.jobs import Effect

clock.install()


class Unlucky(Exception):
    """What an attempt that is meant to fail raises."""


@job_worker(Effect)
def handler(job: Job[Effect]) -> Outcome:
    with job.transaction() as connection:
        connection.execute(
            "INSERT INTO chaos_effects (job_id, attempt) VALUES (%s, %s)", [job.id, job.attempt]
        )
        note_try(job)
    time.sleep(job.payload.milliseconds / 1000)
    return end(job.payload, job.attempt)


def note_try(job: Job[Effect]) -> None:
    """On another connection, which commits at once. The id keeps a repeated INSERT from looking like another try."""
    values = [uuid4(), job.id, job.attempt, job.payload.tag]
    database.run(
        lambda own: own.execute(
            "INSERT INTO chaos_tries (id, job_id, attempt, tag) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            values,
        )
    )


def end(payload: Effect, attempt: int) -> Outcome:
    match payload.ends:
        case "fails":
            return Fail("as intended")
        case "cancels":
            return Cancel("as intended")
        case "retries" if attempt <= payload.unlucky:
            return Retry(after=1, reason="as intended")
        case "raises" if attempt <= payload.unlucky:
            raise Unlucky("as intended")
    return Complete({"attempt": attempt})
