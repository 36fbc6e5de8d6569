"""Accepts jobs and batches, and notes which publications QStash has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any
from uuid import UUID

from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from shared import sealing
from shared.database import Connection
from shared.executions import statements
from shared.executions.statements import AnyConnection, every, execute
from shared.rows import BatchMember, NewJob, Receipt, UnpublishedJob


def insert(connection: AnyConnection, jobs: Sequence[NewJob], max_delay: float) -> list[UnpublishedJob]:
    """Accept jobs, on any connection; without those for which `find_accepted` finds what stands in the way.

    `max_delay` is how many seconds ahead QStash takes a message.
    """
    values = {"jobs": Jsonb([_json_ready(job) for job in jobs]), "max_delay": max_delay}
    return every(connection, UnpublishedJob, "insert_jobs", values)


def find_accepted(connection: AnyConnection, job: NewJob) -> tuple[UUID, bool] | None:
    """The job that stood in the way of `insert`, and whether it has the same payload.

    Raises SecretUnavailable if the two are sealed and cannot be opened to be compared.
    """
    values = {
        "job_id": job.job_id,
        "job_type": job.job_type,
        "organization_id": job.organization_id,
        "idempotency_key": job.idempotency_key,
        "payload": Jsonb(job.payload),
        "payload_key": job.payload_key,
    }
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(statements.sql("find_accepted"), values).fetchone()
    if found is None:
        return None
    job_id, is_same, payload, payload_key = found
    return job_id, is_same or (payload is not None and _is_payload(job, job_id, payload, payload_key))


def _is_payload(job: NewJob, job_id: UUID, stored: str, payload_key: str | None) -> bool:
    """Whether a job's payload says the same as another's; sealed ones differ each time."""
    given = sealing.unseal(json.dumps(job.payload), job.payload_key, sealing.payload_of(job.job_id))
    kept = sealing.unseal(stored, payload_key, sealing.payload_of(job_id))
    return bool(json.loads(given) == json.loads(kept))


def stamp_publications(connection: Connection, taken: Sequence[tuple[UnpublishedJob, Receipt]]) -> int:
    """Note that QStash has these publications; how many were not known or superseded."""
    values = {
        "job_ids": [job.job_id for job, _receipt in taken],
        "publications": [job.publication for job, _receipt in taken],
        "message_ids": [receipt.message_id for _job, receipt in taken],
        "endpoints": [receipt.endpoint for _job, receipt in taken],
    }
    return execute(connection, "stamp_publications", values).rowcount


def reject_publication(connection: Connection, job_id: UUID, publication: int, message: str) -> bool:
    """Fail a job whose message QStash refused for good; False where an earlier try may have got through."""
    values = {"job_id": job_id, "publication": publication, "message": message}
    return execute(connection, "reject_publication", values).rowcount == 1


def take_written(connection: Connection, job_ids: Sequence[UUID], max_delay: float) -> list[UnpublishedJob]:
    """Of these jobs, those that were committed and are within QStash's reach, reserved for 15 seconds."""
    return every(
        connection, UnpublishedJob, "take_written", {"job_ids": list(job_ids), "max_delay": max_delay}
    )


def take_unpublished(connection: Connection, limit: int) -> list[UnpublishedJob]:
    """Publications that are due, reserved for the caller for 30 seconds."""
    return every(connection, UnpublishedJob, "take_unpublished", {"limit": limit})


def insert_batch(
    connection: AnyConnection, batch_id: UUID, total: int, then: NewJob, max_delay: float
) -> None:
    """Insert the row that counts a batch's members, with the job to run when all have ended."""
    then_job = Jsonb(_json_ready(then) | {"max_delay": max_delay})
    values = {"batch_id": batch_id, "total": total, "job_id": then.job_id, "then_job": then_job}
    execute(connection, "insert_batch", values)


def find_completion(connection: Connection, batch_id: UUID) -> UUID | None:
    """The completion job of a batch, once it exists and as long as it is not published."""
    row = execute(connection, "find_completion", {"batch_id": batch_id}).fetchone()
    return None if row is None else row["then_job_id"]


def batch_members(connection: Connection, batch_id: UUID) -> list[BatchMember]:
    """How each member of a batch stands. Raises SecretUnavailable for a sealed result that cannot be opened."""
    rows = execute(connection, "list_batch_members", {"batch_id": batch_id}).fetchall()
    return [_member(**row) for row in rows]


def _member(*, job_id: UUID, result: str | None, result_key: str | None, **rest: Any) -> BatchMember:
    opened = None if result is None else sealing.unseal(result, result_key, sealing.result_of(job_id))
    return BatchMember(job_id=job_id, result=None if opened is None else json.loads(opened), **rest)


def _json_ready(job: NewJob) -> dict[str, Any]:
    values = {field.name: getattr(job, field.name) for field in fields(job)}
    not_before = None if job.not_before is None else job.not_before.isoformat()
    names = ("job_id", "batch_id", "parent_job_id")
    ids = {name: None if values[name] is None else str(values[name]) for name in names}
    return values | ids | {"not_before": not_before}
