"""How each listing stands on each platform, and whose turn it is: one job at a time, and of two the later wins.

A job first marks its row `pending`, in a transaction of its own: what was sent before is then no longer known to stand,
also if the process dies before it can say what it did. It then keeps the row locked while it sends.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Self
from uuid import UUID

from functions.syndicate_listing.errors import NoSuchListing, Overtaken
from shared import executions
from shared.database import Connection
from shared.job import Job
from shared.jobs.syndicate_listing import Platform, SyndicateListing
from shared.rows import Execution

_SQL = Path(__file__).parent / "sql"
_LONGEST_WAIT = "10s"  # for one's turn
NO_LISTING = "the organization has no such listing"
_DONE = frozenset({"published", "updated", "removed"})


@dataclass(frozen=True, slots=True)
class Request:
    """What one job wants of one platform, and since when it has been wanted."""

    organization_id: int
    listing_id: int
    platform: Platform
    job_id: UUID
    at: datetime

    @classmethod
    def of(cls, job: Job[SyndicateListing], organization_id: int, platform: Platform) -> Self:
        """What this job wants."""
        at = requested_at(job.payload, job.created_at)
        return cls(organization_id, job.payload.listing_id, platform, job.id, at)

    @property
    def key(self) -> dict[str, Any]:
        """Which row it is about."""
        return {
            "organization_id": self.organization_id,
            "listing_id": self.listing_id,
            "platform": self.platform.value,
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """A row: `external_id` is there as long as the platform is known to have the listing, whatever the status."""

    status: str
    external_id: str | None = None
    external_url: str | None = None
    feed_checksum: str | None = None
    error: str | None = None
    job_id: UUID | None = None

    def has(self, checksum: str) -> bool:
        """Whether the platform is known to have exactly this feed."""
        return self.status in {"published", "updated"} and self.feed_checksum == checksum


def requested_at(payload: SyndicateListing, created_at: datetime) -> datetime:
    """When it was asked for first; nobody can have asked later than the job was accepted."""
    return min(payload.requested_at or created_at, created_at)


def take_turn(connection: Connection, request: Request) -> Standing:
    """Lock the row, in the caller's transaction, for a job that no later one has overtaken; how it stands.

    Raises NoSuchListing, Overtaken, and LockNotAvailable after 10 s.
    """
    connection.execute(f"SET LOCAL lock_timeout = '{_LONGEST_WAIT}'".encode())
    connection.execute(_sql("insert_standing"), request.key)
    row = connection.execute(_sql("lock_standing"), request.key).fetchone()
    connection.execute(b"SET LOCAL lock_timeout = DEFAULT")
    if row is None:
        raise NoSuchListing(NO_LISTING)
    standing = Standing(**row)
    if standing.job_id is not None and standing.job_id != request.job_id:
        _let_later_pass(connection, standing.job_id, request)
    return standing


def _let_later_pass(connection: Connection, job_id: UUID, request: Request) -> None:
    latest = executions.find(
        connection, job_id
    )  # retention may have deleted it, which makes it the older one
    if latest is not None and _requested_at(latest) > request.at:
        raise Overtaken(f"a later job for this listing and {request.platform.value} has had its turn")


def _requested_at(execution: Execution) -> datetime:
    payload = SyndicateListing.model_validate(execution.payload, extra="ignore")
    return requested_at(payload, execution.created_at)


def write(connection: Connection, request: Request, standing: Standing) -> None:
    """Write how it stands after this job."""
    values = asdict(standing) | request.key | {"job_id": request.job_id}
    connection.execute(_sql("write_standing"), values)


def write_failure(connection: Connection, request: Request, error: str) -> None:
    """Make an error visible, unless a later request had its turn or another attempt of this job has succeeded."""
    with suppress(NoSuchListing, Overtaken), connection.transaction():
        standing = take_turn(connection, request)
        if standing.job_id != request.job_id or standing.status not in _DONE:
            write(connection, request, replace(standing, status="failed", error=error))


def find_all(connection: Connection, listing_id: int, organization_id: int) -> dict[Platform, Standing]:
    """How a listing stands on each platform that it was ever meant for."""
    key = {"listing_id": listing_id, "organization_id": organization_id}
    rows = connection.execute(_sql("list_standings"), key).fetchall()
    return {Platform(row.pop("platform")): Standing(**row) for row in rows}


@cache
def _sql(name: str) -> bytes:
    return (_SQL / f"{name}.sql").read_bytes()
