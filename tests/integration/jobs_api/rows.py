"""Rows as the tests need them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.database import Connection
from shared.envelope import new_job_id
from tests.integration.test_executions import put

NOBODYS = UUID("01a22273-6818-7243-a784-d323ffb7aacc")  # no row has this id
FAILURE = {"run": 1, "attempt": 1, "at": "2030-01-02T03:04:05Z", "type": "ValueError", "message": "no luck"}


def failed(connection: Connection, **columns: Any) -> UUID:
    """A dead letter."""
    values: dict[str, Any] = {
        "status": "failed",
        "attempt": 1,
        "error": "no luck",
        "errors": Jsonb([FAILURE]),
        "payload": Jsonb({"listingId": 1, "agentId": 2}),
    }
    return put(connection, **values | columns)


def batch(connection: Connection, organization_id: int | None = None, members: int = 2) -> UUID:
    """A batch with its members."""
    batch_id = new_job_id()
    then = {
        "job_type": "crm-match",
        "payload": {"listingId": 1, "agentId": 2},
        "organization_id": organization_id,
        "max_attempts": 3,
        "publish_options": {},
    }
    connection.execute(
        "INSERT INTO job_batches (id, total, remaining, then_job_id, then_job) VALUES (%s, %s, %s, %s, %s)",
        [batch_id, members, members, new_job_id(), Jsonb(then)],
    )
    for _member in range(members):
        put(connection, batch_id=batch_id, organization_id=organization_id)
    return batch_id


def everything(connection: Connection) -> list[dict[str, Any]]:
    """All that an action could change."""
    tables = ("job_executions", "job_batches", "schedule_payloads")
    return [
        row for table in tables for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1".encode())
    ]
