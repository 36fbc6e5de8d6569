"""Jobs as people and tools read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from shared.columns import REDACTED
from shared.database import Connection
from shared.executions.statements import every, one
from shared.registry import is_sensitive
from shared.rows import Execution, KeyUse, QueueGauges, TypeStatistics


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
    return every(connection, TypeStatistics, "count_by_type_and_status", {"window": window})


def measure_queue(connection: Connection) -> QueueGauges:
    """The gauges that the alarms watch."""
    measured = one(connection, QueueGauges, "measure_queue", {})
    assert measured is not None  # noqa: S101  # an aggregate always has its one row
    return measured


def count_by_payload_key(connection: Connection) -> list[KeyUse]:
    """How much is sealed under each key. Reads the whole table: an operator's question, before a key goes."""
    return every(connection, KeyUse, "count_by_payload_key", {})


def _shown(connection: Connection, name: str, values: Mapping[str, Any]) -> list[Execution]:
    found = every(connection, Execution, name, values)
    return [_redacted(each) if is_sensitive(each.job_type) else each for each in found]


def _redacted(execution: Execution) -> Execution:
    """Also of what was written before its type was marked as sensitive, and is not sealed."""
    result = None if execution.result is None else REDACTED
    return replace(execution, payload=REDACTED, result=result)
