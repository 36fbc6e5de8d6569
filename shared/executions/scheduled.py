"""What a schedule's runs have in Postgres: their rows, and the payload that their messages name."""

from __future__ import annotations

from uuid import UUID

from psycopg.types.json import Jsonb

from shared.database import Connection
from shared.envelope import Envelope, ScheduleTerms
from shared.executions.statements import execute, one
from shared.rows import SchedulePayload, StoredPayload


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
        execute(connection, "insert_scheduled_job", values)
        return True
    with connection.transaction():
        # By a statement of its own: the next one's snapshot must be taken under the lock, to see what the one
        # before us has committed.
        execute(connection, "lock_schedule", values)
        if execute(connection, "find_unfinished_run", values).fetchone() is not None:
            return False
        execute(connection, "insert_scheduled_job", values)
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
    execute(connection, "insert_schedule_payload", values)


def find_schedule_payload(connection: Connection, schedule_id: str) -> SchedulePayload | None:
    """The payload that a schedule's messages name now."""
    return one(connection, SchedulePayload, "find_schedule_payload", {"schedule_id": schedule_id})


def remove_schedule_payloads(connection: Connection, schedule_id: str, payload_id: UUID | None) -> None:
    """Mark what a schedule's messages named before this payload as removed; all of it where they name none."""
    values = {"schedule_id": schedule_id, "payload_id": payload_id}
    execute(connection, "remove_schedule_payloads", values)
