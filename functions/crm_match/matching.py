"""An agent's leads against a listing: read in portions, scored, and written where something is new."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from heapq import nlargest
from pathlib import Path
from typing import Any

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from functions.crm_match.scoring import Home, Score, Wishes, score
from shared.database import Connection
from shared.job import Job
from shared.jobs.crm_match import CrmMatch

KEPT_FROM = 50  # points from which a match is stored
TOLD_FROM = 70  # points from which the agent is told of it
_MOST_TOLD = 10
_PORTION = 1_000  # leads
_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True, slots=True)
class Listing:
    """The listing, whether it is on the market, and what of it counts."""

    title: str
    active: bool
    home: Home


@dataclass(frozen=True, slots=True)
class Agent:
    """Whose leads they are."""

    name: str
    email: str
    active: bool


@dataclass(frozen=True, slots=True)
class Match:
    """A lead whom the listing suits."""

    lead_id: int
    lead_name: str
    score: Score


@dataclass(slots=True)
class Matches:
    """What a run has found. `news` of those good enough to tell of, which are `good`; the `best` of them first."""

    leads: int = 0
    lead_ids: list[int] = field(default_factory=list)
    changed: int = 0
    removed: int = 0
    good: int = 0
    news: int = 0
    best: list[Match] = field(default_factory=list)


def find_listing(connection: Connection, key: dict[str, Any]) -> Listing | None:
    """The organization's listing; None where it has none of this id."""
    row = connection.execute(_sql("find_listing"), key).fetchone()
    if row is None:
        return None
    return Listing(title=row.pop("title"), active=row.pop("active"), home=Home(**row))


def find_agent(connection: Connection, key: dict[str, Any]) -> Agent | None:
    """The organization's agent; None where it has none of this id."""
    row = connection.execute(_sql("find_agent"), key).fetchone()
    return None if row is None else Agent(**row)


def key_of(job: Job[CrmMatch]) -> dict[str, Any]:
    """What the statements are about."""
    return {
        "organization_id": job.organization_id,
        "listing_id": job.payload.listing_id,
        "agent_id": job.payload.agent_id,
        "job_id": job.id,
    }


def match(connection: Connection, key: dict[str, Any], listing: Listing) -> Matches:
    """Score the agent's leads and store what has changed; a listing that is off the market suits nobody."""
    found = Matches()
    connection.execute(_sql("lock_matches"), key)
    if listing.active:
        for portion in _portions(connection, key):
            found.leads += len(portion)
            _store(connection, key, list(_scored(listing.home, portion)), found)
    found.removed = connection.execute(
        _sql("delete_other_matches"), key | {"lead_ids": found.lead_ids}
    ).rowcount
    return found


def _portions(connection: Connection, key: dict[str, Any]) -> Iterator[list[DictRow]]:
    """The leads by and by: memory does not grow with their number."""
    with connection.cursor(name="leads") as cursor:
        cursor.execute(_sql("list_leads"), key)
        while portion := cursor.fetchmany(_PORTION):
            yield portion


def _scored(home: Home, leads: list[DictRow]) -> Iterator[Match]:
    for lead in leads:
        lead_id, name = lead.pop("id"), lead.pop("name")
        points = score(home, Wishes(**lead))
        if points is not None and points.points >= KEPT_FROM:
            yield Match(lead_id, name, points)


def _store(connection: Connection, key: dict[str, Any], matches: list[Match], found: Matches) -> None:
    rows = [
        {
            "lead_id": each.lead_id,
            "score": each.score.points,
            "reasons": [asdict(reason) for reason in each.score.reasons],
        }
        for each in matches
    ]
    changed = connection.execute(_sql("store_matches"), key | {"matches": Jsonb(rows)}).fetchall()
    good = [each for each in matches if each.score.points >= TOLD_FROM]
    found.lead_ids += [each.lead_id for each in matches]
    found.changed += len(changed)
    found.news += sum(row["score"] >= TOLD_FROM for row in changed)
    found.good += len(good)
    found.best = nlargest(
        _MOST_TOLD, [*found.best, *good], key=lambda each: (each.score.points, -each.lead_id)
    )


@cache
def _sql(name: str) -> bytes:
    return (_SQL / f"{name}.sql").read_bytes()
