"""The outbox's relay: gets accepted jobs to QStash, and jobs back that QStash has lost.

Nothing here fails a job because QStash cannot be reached: what does not get through now is tried again by `reconcile`.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg

from shared import database, executions, inline, publishing, reporting
from shared.errors import DatabaseUnavailable, PublishFailed, PublishRejected
from shared.failures import words
from shared.observability import logger
from shared.rows import OverdueJob, SettledJob, UnpublishedJob, UntoldFailure
from shared.settings import DispatcherSettings

REACH_MARGIN = 60  # seconds: times are rounded up to whole seconds, and QStash has a clock of its own
_PUBLISHERS = 8  # at once, where many wait


def publish_accepted(job: UnpublishedJob, settings: DispatcherSettings) -> None:
    """Publish an accepted job. Raises only PublishRejected; everything else is left to reconcile."""
    if settings.delivery == "inline":
        inline.run(job)
        return
    try:
        message_id = publishing.publish(job, settings)
    except PublishFailed as error:
        reporting.publish_failed(job.job_type, job.job_id, str(error))
    except PublishRejected as error:
        if _reject(job, error):
            raise
    else:
        _stamp(job, message_id)


def publish_written(job_ids: Sequence[UUID]) -> None:
    """Publish jobs that a transaction wrote, if it committed them. Never raises: reconcile publishes what is left."""
    if not job_ids:
        return
    settings = DispatcherSettings.load()
    try:
        written = database.run(
            lambda kept: executions.take_written(kept, job_ids, settings.max_delay - REACH_MARGIN)
        )
        for job in written:
            reporting.enqueued(job.job_type, job.job_id)
            publish_accepted(job, settings)
    except (DatabaseUnavailable, PublishRejected, psycopg.Error) as error:
        logger.error("not all published; reconcile will try again", extra={"reason": words(error)})


def publish_unpublished(limit: int, ends_at: float) -> tuple[int, int]:
    """Publish up to `limit` due jobs of the outbox, until `ends_at` (of time.monotonic).

    Returns how many were taken and how many of them QStash has now. Never fails a job for it: a revoked token would
    fail the whole queue. Raises DatabaseUnavailable.
    """
    settings = DispatcherSettings.load()
    jobs = database.run(lambda kept: executions.take_unpublished(kept, limit))

    def publish(job: UnpublishedJob) -> str | None:
        return _try_publish(job, settings) if time.monotonic() < ends_at else None

    with ThreadPoolExecutor(_PUBLISHERS) as publishers:
        results = publishers.map(publish, jobs)
        stamped = [
            _stamp(job, message_id) for job, message_id in zip(jobs, results, strict=True) if message_id
        ]
    return len(jobs), len(stamped)


def give_back_gone(limit: int, ends_at: float) -> int:
    """Give back up to `limit` overdue jobs whose message QStash no longer holds, until `ends_at`; how many were.

    A message may have ended without its worker's knowledge: refused by a function that did not start, cancelled by
    hand, lost with its failure callback. Raises DatabaseUnavailable.
    """
    settings = DispatcherSettings.load()
    overdue = database.run(lambda kept: executions.take_overdue(kept, limit))

    def is_gone(job: OverdueJob) -> bool:
        return time.monotonic() < ends_at and not _is_held(job, settings)

    with ThreadPoolExecutor(_PUBLISHERS) as askers:
        gone = [job for job, found in zip(overdue, askers.map(is_gone, overdue), strict=True) if found]
    for job in gone:
        settled = database.run(functools.partial(_settle_gone, job=job))
        if settled is not None:
            reporting.settled(settled)
    return len(gone)


def tell_failures(job_id: UUID | None = None, limit: int = 1, ends_at: float = math.inf) -> int:
    """Publish the failure callbacks of failed jobs whose callers wait for one; how many QStash has now.

    Of one job if an id is given; until `ends_at` (of time.monotonic). Never raises for QStash's sake: reconcile tries
    again.
    """
    settings = DispatcherSettings.load()
    untold = database.run(lambda kept: executions.take_untold_failures(kept, limit, job_id))
    return sum(_tell(failure, settings) for failure in untold if time.monotonic() < ends_at)


def _try_publish(job: UnpublishedJob, settings: DispatcherSettings) -> str | None:
    try:
        return publishing.publish(job, settings)
    except Exception as error:  # noqa: BLE001  # whatever is wrong with one row must not stop the others
        reporting.publish_failed(job.job_type, job.job_id, words(error))
        return None


def _settle_gone(connection: database.Connection, *, job: OverdueJob) -> SettledJob | None:
    message = "QStash no longer holds the job's message"
    return executions.settle_failure(connection, job.job_id, job.publication, message=message, dlq_id=None)


def _is_held(job: OverdueJob, settings: DispatcherSettings) -> bool:
    if job.qstash_message_id is None:
        return False
    try:
        return publishing.is_held(job.qstash_message_id, settings)
    except PublishFailed as error:
        logger.warning("QStash does not say what it holds", extra={"reason": str(error)})
        return True


def _tell(failure: UntoldFailure, settings: DispatcherSettings) -> bool:
    try:
        publishing.publish_failure(failure, settings)
    except PublishFailed as error:
        reporting.publish_failed(failure.job_type, failure.job_id, str(error))
        return False
    except PublishRejected as error:  # a URL that QStash will never call; trying again changes nothing
        reporting.publish_failed(failure.job_type, failure.job_id, f"failure callback given up: {error}")
    database.run(lambda kept: executions.stamp_failure_told(kept, failure.job_id, failure.run))
    return True


def _stamp(job: UnpublishedJob, message_id: str) -> bool:
    try:
        return database.run(
            lambda kept: executions.stamp_publication(kept, job.job_id, job.publication, message_id)
        )
    except (
        DatabaseUnavailable,
        psycopg.Error,
    ) as error:  # the claim will stamp it, or reconcile publish it again
        logger.warning("published but not stamped", extra={"job_id": str(job.job_id), "reason": words(error)})
        return False


def _reject(job: UnpublishedJob, error: PublishRejected) -> bool:
    reporting.publish_failed(job.job_type, job.job_id, str(error))
    try:
        return database.run(
            lambda kept: executions.reject_publication(kept, job.job_id, job.publication, str(error))
        )
    except (DatabaseUnavailable, psycopg.Error):
        return False
