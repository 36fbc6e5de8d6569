"""Finds the jobs that somebody else must end, give back or tell of."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from shared.database import Connection
from shared.executions.statements import ATTEMPT_LOST, every, execute, one, storable
from shared.rows import Publication, SettledJob, UntoldFailure


def settle_failure(
    connection: Connection, job_id: UUID, publication: int, *, message: str, dlq_id: str | None
) -> SettledJob | None:
    """Give back, or end, a job whose message QStash has given up; None where that message no longer counts."""
    values = {"job_id": job_id, "publication": publication, "message": storable(message), "dlq_id": dlq_id}
    settled = one(connection, SettledJob, "settle_failure", values)
    if settled is None and dlq_id is not None:
        execute(connection, "store_dead_letter_id", values)
    return settled


def requeue_expired(connection: Connection, limit: int) -> list[SettledJob]:
    """Give back, or end, jobs whose attempt's lease has expired."""
    return every(connection, SettledJob, "requeue_expired", {"limit": limit, "lost": ATTEMPT_LOST})


def requeue_moved(connection: Connection, endpoints: Mapping[str, str], limit: int) -> list[SettledJob]:
    """Give back jobs published to a URL that is no longer their type's."""
    values = {"job_types": list(endpoints), "urls": list(endpoints.values()), "limit": limit}
    return every(connection, SettledJob, "requeue_moved", values)


def take_overdue(connection: Connection, limit: int) -> list[Publication]:
    """Publications that should have been delivered by now, reserved for a while."""
    return every(connection, Publication, "take_overdue", {"limit": limit})


def find_mark(connection: Connection, name: str) -> int | None:
    """How far something has been read; None where it has not been yet."""
    row = execute(connection, "find_mark", {"name": name}).fetchone()
    return None if row is None else row["mark"]


def advance_mark(connection: Connection, name: str, mark: int) -> None:
    """Remember how far something has been read."""
    execute(connection, "advance_mark", {"name": name, "mark": mark})


def take_untold_failures(
    connection: Connection, limit: int, job_id: UUID | None = None
) -> list[UntoldFailure]:
    """Failed jobs whose caller is still to be told, reserved for a minute; of one job if an id is given."""
    return every(connection, UntoldFailure, "take_untold_failures", {"limit": limit, "job_id": job_id})


def stamp_failure_told(connection: Connection, job_id: UUID, run: int) -> None:
    """Note that the caller's failure callback is at QStash."""
    execute(connection, "stamp_failure_told", {"job_id": job_id, "run": run})
