"""The outbox's relay: gets accepted jobs to QStash, and jobs back that QStash has lost.

Nothing here fails a job because QStash cannot be reached: what does not get through now is tried again by `reconcile`.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus

from shared import database, executions, inline, outbox, publishing, reporting
from shared.endpoints import endpoints
from shared.errors import (
    DatabaseUnavailable,
    EndpointUnknown,
    PublishFailed,
    PublishRejected,
    SecretUnavailable,
)
from shared.failures import words
from shared.fault_points import FaultPoint, reach
from shared.observability import logger
from shared.rows import Publication, Receipt, SettledJob, UnpublishedJob, UntoldFailure
from shared.settings import DispatcherSettings

REACH_MARGIN = 60  # seconds: times are rounded up to whole seconds, and QStash has a clock of its own
_BATCH = 100  # messages a call
_PUBLISHERS = 8  # at once, where many wait


def hand_over(
    accepted: Sequence[UnpublishedJob],
    settings: DispatcherSettings,
    connection: psycopg.Connection[Any] | None,
) -> dict[UUID, PublishRejected]:
    """Publish jobs just accepted, or leave them to the commit of the caller's transaction that is open on `connection`.

    Returns those that QStash refused for good, which have failed.
    """
    if connection is not None and connection.info.transaction_status is not TransactionStatus.IDLE:
        for job in accepted:
            outbox.add(connection, job.transaction, job.job_id)
        return {}
    reach(FaultPoint.RECORDED)
    for job in accepted:
        reporting.enqueued(job.job_type, job.job_id)
    return publish_accepted([job for job in accepted if job.within_reach], settings)


def publish_accepted(
    jobs: Sequence[UnpublishedJob], settings: DispatcherSettings
) -> dict[UUID, PublishRejected]:
    """Publish jobs that were just accepted; those that QStash refused for good, which have failed.

    Everything else that goes wrong is left to reconcile. In inline mode, run them instead.
    """
    if settings.delivery == "inline":
        for job in jobs:
            inline.run(job)
        return {}
    rejected: dict[UUID, PublishRejected] = {}
    for some in _batches(jobs):
        try:
            answers = (
                publishing.publish_batch(some, settings)
                if len(some) > 1
                else [_publish_one(some[0], settings)]
            )
        except PublishFailed as error:  # for one as for all: the rest would only wait for the same time-out
            for job in jobs[jobs.index(some[0]) :]:
                reporting.publish_failed(job.job_type, job.job_id, str(error))
            break
        reach(FaultPoint.PUBLISHED)
        _stamp(
            [(job, answer) for job, answer in zip(some, answers, strict=True) if isinstance(answer, Receipt)]
        )
        for job, answer in zip(some, answers, strict=True):
            if isinstance(answer, PublishRejected) and _reject(job, answer):
                rejected[job.job_id] = answer
        reach(FaultPoint.STAMPED)
    return rejected


def publish_written(job_ids: Sequence[UUID], seconds: float | None = None) -> None:
    """Publish jobs that a transaction wrote, if it committed them. Never raises: reconcile publishes what is left.

    So is what QStash has not taken within `seconds`, where they are given.
    """
    if not job_ids:
        return
    settings = DispatcherSettings.load()
    try:
        written = database.run(
            lambda kept: executions.take_written(kept, job_ids, settings.max_delay - REACH_MARGIN)
        )
        reach(FaultPoint.RESERVED)
        for job in written:
            reporting.enqueued(job.job_type, job.job_id)
        with publishing.within(seconds):
            publish_accepted(written, settings)
    except (DatabaseUnavailable, psycopg.Error) as error:
        logger.error("not all published; reconcile will try again", extra={"reason": words(error)})


def publish_completion(batch_id: UUID) -> None:
    """Publish the completion job of a batch whose last member has just ended, if it has. Never raises."""
    reach(FaultPoint.MEMBER_ENDED)
    try:
        job_id = database.run(lambda kept: executions.find_completion(kept, batch_id))
        if job_id is not None:
            publish_written([job_id])
    except (DatabaseUnavailable, psycopg.Error) as error:
        logger.warning("the batch's completion is left to reconcile", extra={"reason": words(error)})


def publish_unpublished(limit: int, ends_at: float) -> tuple[int, int]:
    """Publish up to `limit` due jobs of the outbox, until `ends_at` (of time.monotonic).

    Returns how many were taken and how many of them QStash has now. Never fails a job for it: a revoked token would
    fail the whole queue. Raises DatabaseUnavailable.
    """
    settings = DispatcherSettings.load()
    jobs = database.run(lambda kept: executions.take_unpublished(kept, limit))
    reach(FaultPoint.OUTBOX_TAKEN)
    published = 0
    for some in _batches(jobs):
        try:
            answers: Sequence[object] = publishing.publish_batch(some, settings)
        except Exception:  # noqa: BLE001  # perhaps for one row's sake: the others must not wait for it
            answers = _publish_each(some, settings, ends_at)
        taken = [
            (job, answer) for job, answer in zip(some, answers, strict=True) if isinstance(answer, Receipt)
        ]
        published += len(taken)
        for job, answer in zip(some, answers, strict=True):
            if isinstance(answer, PublishRejected):  # never the job's end: perhaps an earlier try got through
                reporting.publish_failed(job.job_type, job.job_id, str(answer))
        reach(FaultPoint.OUTBOX_PUBLISHED)
        _stamp(taken)
    return len(jobs), published


def withdraw(cancelled: Publication) -> None:
    """Take a cancelled job's message back, where QStash still has it. Only a saving: the worker would not run it."""
    if cancelled.qstash_message_id is not None:
        try:
            publishing.withdraw(cancelled.qstash_message_id, DispatcherSettings.load())
        except PublishFailed as error:
            logger.info("the message was not withdrawn", extra={"reason": str(error)})


def give_back_moved(limit: int) -> int:
    """Give back up to `limit` jobs that were published to a URL which is no longer their function's; how many were.

    Raises DatabaseUnavailable.
    """
    try:
        current = endpoints(DispatcherSettings.load())
    except (EndpointUnknown, SecretUnavailable) as error:
        logger.warning("where the functions are cannot be read", extra={"reason": str(error)})
        return 0
    moved = database.run(lambda kept: executions.requeue_moved(kept, current, limit))
    reach(FaultPoint.MOVED)
    for job in moved:
        reporting.settled(job)
    return len(moved)


def give_back_gone(limit: int, ends_at: float) -> int:
    """Give back up to `limit` overdue jobs whose message QStash no longer holds, until `ends_at`; how many were.

    A message may have ended without its worker's knowledge: refused by a function that did not start, cancelled by
    hand, lost with its failure callback. Raises DatabaseUnavailable.
    """
    settings = DispatcherSettings.load()
    overdue = database.run(lambda kept: executions.take_overdue(kept, limit))
    reach(FaultPoint.OVERDUE_TAKEN)

    def is_gone(job: Publication) -> bool:
        return time.monotonic() < ends_at and not _is_held(job, settings)

    with ThreadPoolExecutor(_PUBLISHERS) as askers:
        gone = [job for job, found in zip(overdue, askers.map(is_gone, overdue), strict=True) if found]
    for job in gone:
        settled = database.run(functools.partial(_settle_gone, job=job))
        reach(FaultPoint.GONE_SETTLED)
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
    reach(FaultPoint.FAILURES_TAKEN)
    return sum(_tell(failure, settings) for failure in untold if time.monotonic() < ends_at)


def _batches(jobs: Sequence[UnpublishedJob]) -> Iterator[Sequence[UnpublishedJob]]:
    return (jobs[start : start + _BATCH] for start in range(0, len(jobs), _BATCH))


def _publish_one(job: UnpublishedJob, settings: DispatcherSettings) -> Receipt | PublishRejected:
    try:
        return publishing.publish(job, settings)
    except PublishRejected as error:
        return error


def _publish_each(
    jobs: Sequence[UnpublishedJob], settings: DispatcherSettings, ends_at: float
) -> Sequence[Receipt | None]:
    def publish(job: UnpublishedJob) -> Receipt | None:
        if time.monotonic() >= ends_at:
            return None
        try:
            return publishing.publish(job, settings)
        except Exception as error:  # noqa: BLE001  # whatever is wrong with one row must not stop the others
            reporting.publish_failed(job.job_type, job.job_id, words(error))
            return None

    with ThreadPoolExecutor(_PUBLISHERS) as publishers:
        return list(publishers.map(publish, jobs))


def _settle_gone(connection: database.Connection, *, job: Publication) -> SettledJob | None:
    message = "QStash no longer holds the job's message"
    return executions.settle_failure(connection, job.job_id, job.publication, message=message, dlq_id=None)


def _is_held(job: Publication, settings: DispatcherSettings) -> bool:
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
    reach(FaultPoint.FAILURE_TOLD)
    database.run(lambda kept: executions.stamp_failure_told(kept, failure.job_id, failure.run))
    return True


def _stamp(taken: Sequence[tuple[UnpublishedJob, Receipt]]) -> None:
    if not taken:
        return
    try:
        database.run(lambda kept: executions.stamp_publications(kept, taken))
    except (
        DatabaseUnavailable,
        psycopg.Error,
    ) as error:  # the claims will stamp them, or reconcile publish again
        logger.warning("published but not stamped", extra={"jobs": len(taken), "reason": words(error)})


def _reject(job: UnpublishedJob, error: PublishRejected) -> bool:
    reach(FaultPoint.REFUSED)
    try:
        failed = database.run(
            lambda kept: executions.reject_publication(kept, job.job_id, job.publication, str(error))
        )
    except (DatabaseUnavailable, psycopg.Error):
        failed = False
    report = reporting.refused if failed else reporting.publish_failed
    report(job.job_type, job.job_id, str(error))
    return failed
