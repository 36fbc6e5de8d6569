"""Inline mode (`JOB_DELIVERY=inline`): a job runs in the caller, where there is no QStash to deliver it.

For development and tests of an application. The row is written, claimed and finished exactly as in production; what is
missing is the delivery: delays are not waited for, and attempts follow each other at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from shared.envelope import Delivery, Envelope
from shared.errors import DatabaseUnavailable, SecretUnavailable, UnknownJobType
from shared.registry import get_job_config
from shared.rows import UnpublishedJob


def run(job: UnpublishedJob) -> None:
    """Run a job until it has ended.

    Raises UnknownJobType without its function, DatabaseUnavailable, and SecretUnavailable where the job waits for a key
    that is not in PAYLOAD_KEYS.
    """
    worker = worker_of(job.job_type)
    envelope = Envelope(
        job_id=job.job_id, publication=job.publication, type=job.job_type, payload=job.payload
    )
    delivery = Delivery(envelope, message_id=None)
    while True:
        answer = worker.deliver(delivery, worker.config.timeout)
        if answer.status in {200, 489}:
            return
        if "waits" in answer.body:
            raise SecretUnavailable(str(answer.body["error"]))
        if answer.status == 503 and "Retry-After" not in answer.headers:
            raise DatabaseUnavailable(f"Postgres went away while job {job.job_id} ran inline")


def worker_of(job_type: str) -> Any:
    """The worker of a job type. Raises UnknownJobType where its function cannot be imported."""
    # By name, as the template names it: `shared` does not depend on `functions`, which an application may not have.
    name = f"functions.{get_job_config(job_type).type.module}.handler"
    try:
        return import_module(name).handler
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise UnknownJobType(
            f"inline mode needs {name}, which cannot be imported here: run where it can"
        ) from None
