"""One log line and the metrics for each thing that happens to a job. Payloads and results are never logged."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from shared.errors import InvalidSignature, MissingSignature
from shared.observability import count, logger
from shared.rows import ClaimedJob, SettledJob

_METRIC = {"completed": "Completed", "cancelled": "Cancelled", "retrying": "Retried", "failed": "Failed"}


def rejected(error: InvalidSignature, url: str, by: str) -> None:
    """A request was refused. `by` is the job type or the function that it was meant for.

    A stranger who finds the URL does not sign, and neither does `make doctor`: that is counted apart, for a signature
    that does not verify may be QStash's.
    """
    logger.warning("signature rejected", extra={"reason": str(error), "url": url})
    count({"Unsigned" if isinstance(error, MissingSignature) else "SignatureRejected": 1}, by)


def refused(job_type: str, job_id: UUID, reason: str) -> None:
    """QStash refused a job's message for good, and the job has failed."""
    logger.error(
        "failed: QStash refused it", extra={"job_type": job_type, "job_id": str(job_id), "reason": reason}
    )
    count({"Failed": 1, "DeadLettered": 1}, job_type)


def enqueued(job_type: str, job_id: UUID) -> None:
    """A job was accepted."""
    logger.info("enqueued", extra={"job_type": job_type, "job_id": str(job_id)})
    count({"Enqueued": 1}, job_type)


def publish_failed(job_type: str, job_id: UUID, reason: str) -> None:
    """QStash did not take it now. The metric is for an alarm; the job is safe in the outbox."""
    extra = {"job_type": job_type, "job_id": str(job_id), "reason": reason}
    logger.error("not published; reconcile will try again: %s", reason, extra=extra)
    count({"PublishFailed": 1}, job_type)


def cancelled(job_id: UUID) -> None:
    """Its owner has cancelled a job."""
    logger.info("cancelled", extra={"job_id": str(job_id)})


def received(claimed: ClaimedJob) -> None:
    """A worker has claimed a job."""
    logger.info("received", extra={"queued_seconds": round(claimed.waited, 3)})
    if claimed.attempt == 1:
        count({"QueueLatency": claimed.waited}, claimed.job_type)
    elif claimed.attempt == 2 and claimed.since_last_error is not None:
        count({"TimeToFirstRetry": claimed.since_last_error}, claimed.job_type)


def ended(job_type: str, status: str, duration: float | None, reason: str | None) -> None:
    """An attempt has ended with this status; `duration` in seconds."""
    extra: dict[str, Any] = {}
    metrics: dict[str, float] = {_METRIC[status]: 1}
    if duration is not None:
        extra["duration_seconds"], metrics["Duration"] = round(duration, 3), duration
    if status != "completed":
        extra["reason"] = reason
    if status == "failed":
        metrics["DeadLettered"] = 1
    elif status == "completed":
        metrics["Failed"] = 0  # so that its average is the rate of failures
    level = {"retrying": logger.warning, "failed": logger.error}.get(status, logger.info)
    level(status, extra=extra)
    count(metrics, job_type)


def settled(job: SettledJob) -> None:
    """Somebody other than its worker gave a job back, or ended it."""
    extra = {"job_id": str(job.job_id), "job_type": job.job_type, "status": job.status, "reason": job.error}
    if job.status == "failed":
        logger.error("failed", extra=extra)
        count({"Failed": 1, "DeadLettered": 1}, job.job_type)
    else:
        logger.warning("given back", extra=extra)
        count({"GivenBack": 1}, job.job_type)
