"""Writes it all in one transaction, or finds it written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from infra.seed import mark
from infra.seed.activity import write_activity
from infra.seed.errors import SeedError
from infra.seed.landmarks import Seeded
from infra.seed.organization import add_organization
from infra.seed.sizes import Size, size_of
from infra.seed.tables import Cursor, analyze, first_with_rows, restart_ids
from infra.seed.tenant import Tenant, World

_BATCH = 100  # organizations that are held in memory at once


def seed(
    connection: psycopg.Connection[Any],
    size: str | int = "small",
    now: datetime | None = None,
    rows: Mapping[str, int] | None = None,
) -> Seeded:
    """Fill the application's empty tables; the ids to begin with.

    `size` is small, medium, large or a number of organizations. All times are relative to `now`, by default today at
    00:00 UTC: the same size and time make the same rows. `rows={"export": 1_000_000}` gives the first organization so
    many activity_logs. It is one transaction, part of the caller's if there is one; what was seeded before is left as
    it is. Raises SeedError if the tables are missing or hold anything else, or if the arguments make no sense.

        seeded = seed(connection, now=datetime(2026, 1, 1, tzinfo=UTC))
    """
    wanted = size_of(size, rows or {})
    if now is not None and now.tzinfo is None:
        raise SeedError(f"now={now.isoformat()} has no time zone: give it one, as in {now.isoformat()}+00:00")
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        mark.lock(cursor)
        found = mark.find(cursor)
        if (table := first_with_rows(cursor)) is None:
            return _write(cursor, wanted, now or _today())
        if found is None:
            raise SeedError(
                f"app.{table} has rows that are not the seed's: use an empty database (make dev FRESH=1 begins with one)"
            )
        return found.seeded_as(wanted, now)


def _today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _write(cursor: Cursor, size: Size, now: datetime) -> Seeded:
    world = World(now.astimezone(UTC))
    seeded = _landmarks(add_organization(world, 1), add_organization(world, 2))
    for number in range(3, size.organizations + 1):
        add_organization(world, number)
        if number % _BATCH == 0:
            world.tables.write(cursor)
    world.tables.write(cursor)
    write_activity(cursor, size, world.now)
    restart_ids(cursor)
    analyze(cursor)
    mark.leave(cursor, size, seeded)
    return seeded


def _landmarks(first: Tenant, second: Tenant) -> Seeded:
    applications = first.applications
    return Seeded(
        created=True,
        now=first.now,
        organization_id=first.id,
        owner_id=first.members[0].id,
        member_id=first.members[-1].id,
        agent_id=first.homes[0].agent.id,
        subscription_id=first.subscription_id,
        listing_id=first.homes[0].id,
        fitting_lead_id=first.leads[0].id,
        unfitting_lead_id=first.leads[2].id,
        application_id=applications["documents missing"].id,
        applicant_id=applications["documents missing"].applicant.id,
        day_old_application_id=applications["a day old"].id,
        overdue_application_id=applications["over its time"].id,
        expired_application_id=applications["expired"].id,
        withdrawn_application_id=applications["withdrawn"].id,
        expired_export_id=first.expired_export_id,
        bounced_email=first.bounced_email,
        other_organization_id=second.id,
        past_due_subscription_id=second.subscription_id,
    )
