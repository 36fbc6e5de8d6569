"""What a job's owner does to it from outside: cancel it, or start it anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.database import Connection
from shared.executions.statements import every, one, storable
from shared.rows import Publication, StoredPayload, UnpublishedJob


def cancel(connection: Connection, job_id: UUID, reason: str) -> Publication | None:
    """End a job that has not ended; None where it has, or there is none."""
    return one(connection, Publication, "cancel_job", {"job_id": job_id, "message": storable(reason)})


def replay(
    connection: Connection,
    *,
    limit: int,
    job_ids: Sequence[UUID] | None = None,
    job_type: str | None = None,
    failed_after: datetime | None = None,
    failed_before: datetime | None = None,
    error: str | None = None,
    payload: StoredPayload | None = None,
) -> list[UnpublishedJob]:
    """Start a new run of up to `limit` dead letters that fit every filter given; `error` is part of its text."""
    values = {
        "limit": limit,
        "job_ids": None if job_ids is None else list(job_ids),
        "job_type": job_type,
        "failed_after": failed_after,
        "failed_before": failed_before,
        "error": error,
        "payload": None if payload is None else Jsonb(payload.payload),
        "payload_key": None if payload is None else payload.payload_key,
        "by_reference": None if payload is None else payload.by_reference,
    }
    return every(connection, UnpublishedJob, "replay_jobs", values)
