"""ping: it completes, once, and leaves nothing else behind."""

from __future__ import annotations

from shared.database import Connection
from shared.jobs.ping import Ping
from tests.integration.workers.conftest import Runner


def test_it_does_nothing_but_complete(run: Runner, connection: Connection) -> None:
    from functions.ping.handler import handler

    job = run(handler, Ping())
    assert (job.status, job.attempt, job.result) == ("completed", 1, None)
    assert run.deliver(handler, job.job_id) == 200
    assert run.read(job.job_id) == job
    assert connection.execute("SELECT FROM job_executions").rowcount == 1
