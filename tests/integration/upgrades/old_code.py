"""Runs within a snapshot of earlier code, and none of today's: takes one command a line, answers each with a line.

Only what every release has is used here: `enqueue`, `enqueue_batch`, `@job_worker`, and the two handlers around them.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import functions.reconcile.handler
import functions.record_failure.handler
from shared import dispatcher
from shared.envelope import Payload
from shared.outcomes import Cancel, Fail, Retry
from shared.registry import JobType
from shared.worker import Job, job_worker


class Note(Payload, type=JobType.CRM_MATCH):
    """How the attempt is to end."""

    text: str


class Context:
    """What of Lambda's context handlers use."""

    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self) -> None:
        self._ends_at = time.monotonic() + 60

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends_at - time.monotonic()) * 1000)


@job_worker(Note)
def worker(job: Job[Note]) -> Any:
    with job.transaction() as connection:
        connection.execute("INSERT INTO effects VALUES (%s, %s)", [job.id, job.attempt])
    if job.payload.text == "holds":
        answer({"holding": str(job.id)})
        sys.stdin.readline()
    if job.payload.text == "raises" and job.attempt == 1:
        raise RuntimeError("the first attempt")
    outcomes = {"fails": Fail("as asked"), "cancels": Cancel("as asked"), "retries": Retry(after=5)}
    return outcomes.get(job.payload.text, {"by": "old code"})


def answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def obey(command: dict[str, Any]) -> object:
    match command:
        case {"enqueue": text}:
            return str(dispatcher.enqueue(Note(text=text), retries=2))
        case {"batch": texts}:
            batch = dispatcher.enqueue_batch([Note(text=each) for each in texts], Note(text="completes"))
            return [str(each) for each in batch.job_ids], str(batch.then_job_id)
        case {"deliver": event}:
            return worker(event, Context())["statusCode"]
        case {"record_failure": event}:
            return functions.record_failure.handler.handler(event, Context())["statusCode"]
        case {"reconcile": _}:
            return functions.reconcile.handler.handler({}, Context())
    raise ValueError(command)


answer({"ready": str(Path(dispatcher.__file__).parents[1])})  # whose code it is
for line in sys.stdin:
    answer(obey(json.loads(line)))
