"""Does nothing but complete: that it did says that a stack delivers, verifies, claims and records."""

from __future__ import annotations

from shared.jobs.ping import Ping
from shared.worker import Job, job_worker


@job_worker(Ping)
def handler(job: Job[Ping]) -> None:
    """Complete, with no result; a second run is as good as the first."""
