"""A worker that writes in its job's transaction and then waits until the test opens a gate."""

from __future__ import annotations

import os
import time
from pathlib import Path

from shared.worker import Job, job_worker
from tests.integration.jobs import Note


@job_worker(Note)
def handler(job: Job[Note]) -> dict[str, int]:
    with job.transaction() as connection:
        connection.execute("INSERT INTO ledger (job_id, attempt) VALUES (%s, %s)", [job.id, job.attempt])
    gate = Path(os.environ["GATE"]) / job.payload.text
    while not gate.exists():
        time.sleep(0.01)
    return {"attempt": job.attempt}
