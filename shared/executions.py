"""The job_executions table: the truth about every job, and the only module with its SQL.

Each function is one statement in `shared/sql/`, on a connection the caller gives. Writes that follow a claim are
guarded by job id and attempt, and report with None that the attempt was stale and nothing changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.rows import class_row, tuple_row
from psycopg.types.json import Jsonb

from shared import sealing
from shared.columns import REDACTED, filled_in
from shared.database import Connection
from shared.envelope import Envelope, ScheduleTerms
from shared.registry import is_sensitive
from shared.rows import (
    BatchMember,
    ClaimedJob,
    Ended,
    Execution,
    KeyUse,
    NewJob,
    Publication,
    QueueGauges,
    Receipt,
    SchedulePayload,
    SettledJob,
    Standing,
    StoredPayload,
    TypeStatistics,
    UnpublishedJob,
    UntoldFailure,
)

AnyConnection = psycopg.Connection[Any]  # a caller's own, whatever its row factory
Row = TypeVar("Row")
_SQL = Path(__file__).parent / "sql"
_LONGEST_TEXT = 8_000  # characters
ATTEMPT_LOST = (
    "the attempt ended without a word: its process crashed, was killed, or lost its way to Postgres"
)


# --- accepting and publishing -------------------------------------------------------------------------------


def insert(connection: AnyConnection, jobs: Sequence[NewJob], max_delay: float) -> list[UnpublishedJob]:
    """Accept jobs, on any connection; without those for which `find_accepted` finds what stands in the way.

    `max_delay` is how many seconds ahead QStash takes a message.
    """
    values = {"jobs": Jsonb([_json_ready(job) for job in jobs]), "max_delay": max_delay}
    return _all(connection, UnpublishedJob, "insert_jobs", values)


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
        found = cursor.execute(_sql("find_accepted"), values).fetchone()
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
    return connection.execute(_sql("stamp_publications"), values).rowcount


def reject_publication(connection: Connection, job_id: UUID, publication: int, message: str) -> bool:
    """Fail a job whose message QStash refused for good; False where an earlier try may have got through."""
    values = {"job_id": job_id, "publication": publication, "message": message}
    return connection.execute(_sql("reject_publication"), values).rowcount == 1


def take_written(connection: Connection, job_ids: Sequence[UUID], max_delay: float) -> list[UnpublishedJob]:
    """Of these jobs, those that were committed and are within QStash's reach, reserved for 15 seconds."""
    return _all(
        connection, UnpublishedJob, "take_written", {"job_ids": list(job_ids), "max_delay": max_delay}
    )


def take_unpublished(connection: Connection, limit: int) -> list[UnpublishedJob]:
    """Publications that are due, reserved for the caller for 30 seconds."""
    return _all(connection, UnpublishedJob, "take_unpublished", {"limit": limit})


# --- batches ------------------------------------------------------------------------------------------------


def insert_batch(
    connection: AnyConnection, batch_id: UUID, total: int, then: NewJob, max_delay: float
) -> None:
    """Insert the row that counts a batch's members, with the job to run when all have ended."""
    then_job = Jsonb(_json_ready(then) | {"max_delay": max_delay})
    values = {"batch_id": batch_id, "total": total, "job_id": then.job_id, "then_job": then_job}
    connection.execute(_sql("insert_batch"), values)


def find_completion(connection: Connection, batch_id: UUID) -> UUID | None:
    """The completion job of a batch, once it exists and as long as it is not published."""
    row = connection.execute(_sql("find_completion"), {"batch_id": batch_id}).fetchone()
    return None if row is None else row["then_job_id"]


def batch_members(connection: Connection, batch_id: UUID) -> list[BatchMember]:
    """How each member of a batch stands. Raises SecretUnavailable for a sealed result that cannot be opened."""
    rows = connection.execute(_sql("list_batch_members"), {"batch_id": batch_id}).fetchall()
    return [_member(**row) for row in rows]


def _member(*, job_id: UUID, result: str | None, result_key: str | None, **rest: Any) -> BatchMember:
    opened = None if result is None else sealing.unseal(result, result_key, sealing.result_of(job_id))
    return BatchMember(job_id=job_id, result=None if opened is None else json.loads(opened), **rest)


# --- running ------------------------------------------------------------------------------------------------


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
    return _one(connection, ClaimedJob, "claim_job", values)


def find_own_claim(connection: Connection, job_id: UUID, delivery: UUID) -> ClaimedJob | None:
    """The claim that this delivery made, where its acknowledgement was lost."""
    return _one(connection, ClaimedJob, "find_own_claim", {"job_id": job_id, "delivery": delivery})


def insert_scheduled(
    connection: Connection,
    job_id: UUID,
    envelope: Envelope,
    *,
    retries: int,
    schedule_id: str | None,
    message_id: str,
    payload: StoredPayload | None = None,
) -> bool:
    """Make the row of a scheduled delivery, unless a delivery of the same message has; False where it is to be skipped.

    `retries` and the unsigned `schedule_id` count only where the envelope has no terms of its own. The payload is the
    one that the terms name, else `payload`, else the envelope's.
    """
    terms = envelope.metadata.schedule or ScheduleTerms(id=schedule_id or "")
    stored = payload or StoredPayload(envelope.payload)
    values = {
        "job_id": job_id,
        "job_type": envelope.type,
        "payload": Jsonb(stored.payload),
        "payload_key": stored.payload_key,
        "by_reference": stored.by_reference,
        "payload_id": terms.payload_id,
        "max_attempts": terms.publish_options.get("attempts", retries + 1),
        "publish_options": Jsonb(terms.publish_options),
        "failure_callback": terms.failure_callback,
        "schedule_id": terms.id or None,
        "message_id": message_id,
        "user_id": envelope.metadata.user_id,
        "organization_id": envelope.metadata.organization_id,
    }
    if terms.overlap != "skip":
        connection.execute(_sql("insert_scheduled_job"), values)
        return True
    with connection.transaction():
        # By a statement of its own: the next one's snapshot must be taken under the lock, to see what the one
        # before us has committed.
        connection.execute(_sql("lock_schedule"), values)
        if connection.execute(_sql("find_unfinished_run"), values).fetchone() is not None:
            return False
        connection.execute(_sql("insert_scheduled_job"), values)
    return True


def insert_schedule_payload(
    connection: Connection, payload_id: UUID, schedule_id: str, payload: StoredPayload
) -> None:
    """Keep the payload that a schedule's messages will name."""
    values = {
        "payload_id": payload_id,
        "schedule_id": schedule_id,
        "payload": Jsonb(payload.payload),
        "payload_key": payload.payload_key,
    }
    connection.execute(_sql("insert_schedule_payload"), values)


def find_schedule_payload(connection: Connection, schedule_id: str) -> SchedulePayload | None:
    """The payload that a schedule's messages name now."""
    return _one(connection, SchedulePayload, "find_schedule_payload", {"schedule_id": schedule_id})


def remove_schedule_payloads(connection: Connection, schedule_id: str, payload_id: UUID | None) -> None:
    """Mark what a schedule's messages named before this payload as removed; all of it where they name none."""
    values = {"schedule_id": schedule_id, "payload_id": payload_id}
    connection.execute(_sql("remove_schedule_payloads"), values)


def find_standing(connection: Connection, job_id: UUID) -> Standing | None:
    """How a job stands that could not be claimed or written."""
    return _one(connection, Standing, "find_standing", {"job_id": job_id})


def complete(
    connection: Connection, job_id: UUID, attempt: int, result: str, result_key: str | None = None
) -> Ended | None:
    """End a job as completed, with its result as JSON, sealed where a key is named; None where the attempt is stale."""
    values = {"job_id": job_id, "attempt": attempt, "result": result, "result_key": result_key}
    return _one(connection, Ended, "complete_job", values)


def cancel_attempt(connection: Connection, job_id: UUID, attempt: int, reason: str) -> Ended | None:
    """End a job as cancelled by its own handler; None where the attempt is stale."""
    return _one(
        connection, Ended, "cancel_attempt", {"job_id": job_id, "attempt": attempt, "message": _text(reason)}
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
        "message": _text(message) or type,
        "traceback": None if traceback is None else _text(traceback),
        "permanent": permanent,
        "retry_after": retry_after,
    }
    return _one(connection, Ended, "record_failed_attempt", values)


def give_back_attempt(
    connection: Connection, job_id: UUID, attempt: int, message: str, retry_after: float
) -> Ended | None:
    """Give a job back whose attempt could not begin or end for want of a key; None where the attempt is stale.

    It costs the job no attempt, and the same words are recorded once.
    """
    values = {"job_id": job_id, "attempt": attempt, "message": _text(message), "retry_after": retry_after}
    return _one(connection, Ended, "give_back_attempt", values)


def record_progress(connection: Connection, job_id: UUID, attempt: int, progress: Mapping[str, Any]) -> bool:
    """Store how far the attempt has come; False where it is stale or the job was cancelled."""
    values = {"job_id": job_id, "attempt": attempt, "progress": Jsonb(progress)}
    return connection.execute(_sql("record_progress"), values).fetchone() is not None


# --- acting on jobs -----------------------------------------------------------------------------------------


def cancel(connection: Connection, job_id: UUID, reason: str) -> Publication | None:
    """End a job that has not ended; None where it has, or there is none."""
    return _one(connection, Publication, "cancel_job", {"job_id": job_id, "message": _text(reason)})


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
    return _all(connection, UnpublishedJob, "replay_jobs", values)


# --- healing ------------------------------------------------------------------------------------------------


def settle_failure(
    connection: Connection, job_id: UUID, publication: int, *, message: str, dlq_id: str | None
) -> SettledJob | None:
    """Give back, or end, a job whose message QStash has given up; None where that message no longer counts."""
    values = {"job_id": job_id, "publication": publication, "message": _text(message), "dlq_id": dlq_id}
    settled = _one(connection, SettledJob, "settle_failure", values)
    if settled is None and dlq_id is not None:
        connection.execute(_sql("store_dead_letter_id"), values)
    return settled


def requeue_expired(connection: Connection, limit: int) -> list[SettledJob]:
    """Give back, or end, jobs whose attempt's lease has expired."""
    return _all(connection, SettledJob, "requeue_expired", {"limit": limit, "lost": ATTEMPT_LOST})


def requeue_moved(connection: Connection, endpoints: Mapping[str, str], limit: int) -> list[SettledJob]:
    """Give back jobs published to a URL that is no longer their type's."""
    values = {"job_types": list(endpoints), "urls": list(endpoints.values()), "limit": limit}
    return _all(connection, SettledJob, "requeue_moved", values)


def take_overdue(connection: Connection, limit: int) -> list[Publication]:
    """Publications that should have been delivered by now, reserved for a while."""
    return _all(connection, Publication, "take_overdue", {"limit": limit})


def find_mark(connection: Connection, name: str) -> int | None:
    """How far something has been read; None where it has not been yet."""
    row = connection.execute(_sql("find_mark"), {"name": name}).fetchone()
    return None if row is None else row["mark"]


def advance_mark(connection: Connection, name: str, mark: int) -> None:
    """Remember how far something has been read."""
    connection.execute(_sql("advance_mark"), {"name": name, "mark": mark})


def take_untold_failures(
    connection: Connection, limit: int, job_id: UUID | None = None
) -> list[UntoldFailure]:
    """Failed jobs whose caller is still to be told, reserved for a minute; of one job if an id is given."""
    return _all(connection, UntoldFailure, "take_untold_failures", {"limit": limit, "job_id": job_id})


def stamp_failure_told(connection: Connection, job_id: UUID, run: int) -> None:
    """Note that the caller's failure callback is at QStash."""
    connection.execute(_sql("stamp_failure_told"), {"job_id": job_id, "run": run})


# --- looking ------------------------------------------------------------------------------------------------


def find(connection: Connection, job_id: UUID) -> Execution | None:
    """One job by its id. What a sensitive one was given and has returned shows as `REDACTED`."""
    return next(iter(_shown(connection, "find_job", {"job_id": job_id})), None)


def latest(connection: Connection, limit: int = 50) -> list[Execution]:
    """The latest jobs, newest first. Lists show `REDACTED` as `find` does, and `OMITTED` for a large payload."""
    return _shown(connection, "list_latest", {"limit": limit})


def latest_by_type(connection: Connection, job_type: str, limit: int = 50) -> list[Execution]:
    """The latest jobs of one type, newest first."""
    return _shown(connection, "list_latest_by_type", {"job_type": job_type, "limit": limit})


def latest_failed(connection: Connection, limit: int = 50) -> list[Execution]:
    """The latest dead letters, newest first."""
    return _shown(connection, "list_latest_failed", {"limit": limit})


def latest_by_user(connection: Connection, user_id: int, limit: int = 50) -> list[Execution]:
    """The latest jobs of one user, newest first."""
    return _shown(connection, "list_latest_by_user", {"user_id": user_id, "limit": limit})


def latest_by_organization(connection: Connection, organization_id: int, limit: int = 50) -> list[Execution]:
    """The latest jobs of one organization, newest first."""
    values = {"organization_id": organization_id, "limit": limit}
    return _shown(connection, "list_latest_by_organization", values)


def statistics(connection: Connection, window: float = 86_400) -> list[TypeStatistics]:
    """Counts and durations by type and status of the jobs created in the last `window` seconds."""
    return _all(connection, TypeStatistics, "count_by_type_and_status", {"window": window})


def measure_queue(connection: Connection) -> QueueGauges:
    """The gauges that the alarms watch."""
    measured = _one(connection, QueueGauges, "measure_queue", {})
    assert measured is not None  # noqa: S101  # an aggregate always has its one row
    return measured


def count_by_payload_key(connection: Connection) -> list[KeyUse]:
    """How much is sealed under each key. Reads the whole table: an operator's question, before a key goes."""
    return _all(connection, KeyUse, "count_by_payload_key", {})


def _shown(connection: Connection, name: str, values: Mapping[str, Any]) -> list[Execution]:
    found = _all(connection, Execution, name, values)
    return [_redacted(each) if is_sensitive(each.job_type) else each for each in found]


def _redacted(execution: Execution) -> Execution:
    """Also of what was written before its type was marked as sensitive, and is not sealed."""
    result = None if execution.result is None else REDACTED
    return replace(execution, payload=REDACTED, result=result)


# ------------------------------------------------------------------------------------------------------------


@cache
def _sql(name: str) -> str:
    return filled_in((_SQL / f"{name}.sql").read_text("utf-8"), "job_executions")


def _one(connection: AnyConnection, row: type[Row], name: str, values: Mapping[str, Any]) -> Row | None:
    with connection.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(_sql(name), values).fetchone()


def _all(connection: AnyConnection, row: type[Row], name: str, values: Mapping[str, Any]) -> list[Row]:
    with connection.cursor(row_factory=class_row(row)) as cursor:
        return cursor.execute(_sql(name), values).fetchall()


def _json_ready(job: NewJob) -> dict[str, Any]:
    values = {field.name: getattr(job, field.name) for field in fields(job)}
    not_before = None if job.not_before is None else job.not_before.isoformat()
    batch_id = None if job.batch_id is None else str(job.batch_id)
    return values | {"job_id": str(job.job_id), "batch_id": batch_id, "not_before": not_before}


def _text(value: object) -> str:
    """An error's words as Postgres can hold them: of bounded length, without NUL or halves of a surrogate pair."""
    text = str(value)
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]} … ({len(text)} characters in all)"
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()
