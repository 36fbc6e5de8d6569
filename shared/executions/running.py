"""One attempt: its claim, its progress, and its end, guarded by job id and attempt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.database import Connection
from shared.executions.statements import ATTEMPT_LOST, execute, one, storable
from shared.rows import ClaimedJob, Ended, Standing


def claim(
    connection: Connection,
    job_id: UUID,
    publication: int,
    *,
    lease: float,
    message_id: str | None,
    delivery: UUID | None = None,
) -> ClaimedJob | None:
    """Take a job for one attempt of at most `lease` seconds; None where it is not this delivery's to run.

    `delivery` is any id of the caller's, by which `find_own_claim` knows the claim again.
    """
    values = {
        "delivery": delivery,
        "job_id": job_id,
        "publication": publication,
        "lease": lease,
        "message_id": message_id,
        "lost": ATTEMPT_LOST,
    }
    return one(connection, ClaimedJob, "claim_job", values)


def find_own_claim(connection: Connection, job_id: UUID, delivery: UUID) -> ClaimedJob | None:
    """The claim that this delivery made, where its acknowledgement was lost."""
    return one(connection, ClaimedJob, "find_own_claim", {"job_id": job_id, "delivery": delivery})


def find_standing(connection: Connection, job_id: UUID) -> Standing | None:
    """How a job stands that could not be claimed or written."""
    return one(connection, Standing, "find_standing", {"job_id": job_id})


def complete(
    connection: Connection, job_id: UUID, attempt: int, result: str, result_key: str | None = None
) -> Ended | None:
    """End a job as completed, with its result as JSON, sealed where a key is named; None where the attempt is stale."""
    values = {"job_id": job_id, "attempt": attempt, "result": result, "result_key": result_key}
    return one(connection, Ended, "complete_job", values)


def cancel_attempt(connection: Connection, job_id: UUID, attempt: int, reason: str) -> Ended | None:
    """End a job as cancelled by its own handler; None where the attempt is stale."""
    return one(
        connection,
        Ended,
        "cancel_attempt",
        {"job_id": job_id, "attempt": attempt, "message": storable(reason)},
    )


def record_failed_attempt(
    connection: Connection,
    job_id: UUID,
    attempt: int,
    *,
    type: str,  # noqa: A002  # the error's type, as the column calls it
    message: str,
    traceback: str | None = None,
    permanent: bool = False,
    retry_after: float | None = None,
) -> Ended | None:
    """Record an attempt's error: `retrying` while attempts are left, else `failed`; None where it is stale."""
    values = {
        "job_id": job_id,
        "attempt": attempt,
        "type": type,
        "message": storable(message) or type,
        "traceback": None if traceback is None else storable(traceback),
        "permanent": permanent,
        "retry_after": retry_after,
    }
    return one(connection, Ended, "record_failed_attempt", values)


def give_back_attempt(
    connection: Connection, job_id: UUID, attempt: int, message: str, retry_after: float
) -> Ended | None:
    """Give a job back whose attempt could not begin or end for want of a key; None where the attempt is stale.

    It costs the job no attempt, and the same words are recorded once.
    """
    values = {"job_id": job_id, "attempt": attempt, "message": storable(message), "retry_after": retry_after}
    return one(connection, Ended, "give_back_attempt", values)


def record_progress(connection: Connection, job_id: UUID, attempt: int, progress: Mapping[str, Any]) -> bool:
    """Store how far the attempt has come; False where it is stale or the job was cancelled."""
    values = {"job_id": job_id, "attempt": attempt, "progress": Jsonb(progress)}
    return execute(connection, "record_progress", values).fetchone() is not None
