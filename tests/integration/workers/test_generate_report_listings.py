"""generate-report: the figures of homes, computed anew from the plain rows by Python."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from typing import Any
from uuid import uuid4

import pytest

from infra.seed import Seeded
from shared.database import Connection
from tests.integration.workers.conftest import Files, Runner
from tests.integration.workers.plain_rows import Row, rows_for
from tests.integration.workers.reporting import (
    Reporter,
)


@pytest.fixture
def first(run: Runner, files: Files, seeded: Seeded) -> Reporter:
    """Makes reports of the first of the seeded organizations."""
    return Reporter(run, files, seeded.organization_id)


# --- listing activity ---------------------------------------------------------------------------------------


def test_seeded_listings(first: Reporter, seeded: Seeded, connection: Connection) -> None:
    rows, days = rows_for(connection, seeded)
    report = first.report("listing-activity", **days)
    figures, published = report.figures(), rows.published()
    applications = [row for row in rows.of("app.applications") if rows.within(row["created_at"])]
    homes = [row for row in rows.of("app.listings") if row["created_at"] < rows.ends_at]
    matches = [row for row in rows.of("app.lead_matches") if row["created_at"] < rows.ends_at]
    assert figures == {
        "added": rows.count("app.listings"),
        "published": sum(map(rows.within, published.values())),
        "applications": len(applications),
        "listings_applied_for": len({row["listing_id"] for row in applications}),
        "leads": rows.count("app.leads"),
        "matches": rows.count("app.lead_matches"),
    }
    assert figures["applications"] > 0 < figures["leads"]
    each = report.rows("listings")
    assert len(each) == len(homes)
    applied = Counter(row["listing_id"] for row in applications)
    matched = Counter(row["listing_id"] for row in matches)
    advertised = rows.of("app.listing_syndications")
    live = Counter(row["listing_id"] for row in advertised if row["status"] in {"published", "updated"})

    def days_on_market(home: Row) -> int | None:
        if home["id"] not in published:
            return None
        removed = [
            row["removed_at"] for row in advertised if row["listing_id"] == home["id"] and row["removed_at"]
        ]
        end = rows.ends_at if home["status"] == "active" else max(removed, default=home["updated_at"])
        return (min(end, rows.ends_at).astimezone(UTC) - published[home["id"]].astimezone(UTC)).days

    def key(row: Row) -> tuple[Any, ...]:
        return tuple(str(value) for value in row.values())

    assert sorted(each, key=key) == sorted(
        (
            {
                "title": home["title"], "city": home["city"], "status": home["status"], "rent": home["price"],
                "applications": applied[home["id"]], "matches": matched[home["id"]], "platforms": live[home["id"]],
                "days_on_market": days_on_market(home),
            }
            for home in homes
        ),
        key=key,
    )  # fmt: skip
    statuses = Counter(home["status"] for home in homes)
    assert {row["status"]: row["listings"] for row in report.rows("statuses")} == {
        status: statuses[status] for status in ("draft", "active", "rented", "withdrawn")
    }
    states = Counter((row["platform"], row["status"]) for row in advertised)
    for row in report.rows("platforms"):
        platform = row["platform"]
        assert row["live"] == states[platform, "published"] + states[platform, "updated"]
        assert [row[state] for state in ("pending", "failed", "removed")] == [
            states[platform, state] for state in ("pending", "failed", "removed")
        ]
    assert sum(report.chart("demand")["Applications"]) == figures["applications"]
    assert sum(report.chart("demand")["New leads"]) == figures["leads"]


def test_filters_of_listings(first: Reporter, seeded: Seeded, connection: Connection) -> None:
    rows, days = rows_for(connection, seeded)
    city = rows.of("app.listings")[0]["city"]
    report = first.report("listing-activity", filters={"city": city, "platform": ["zillow"]}, **days)
    on_zillow = {
        row["listing_id"] for row in rows.of("app.listing_syndications") if row["platform"] == "zillow"
    }
    homes = [row for row in rows.of("app.listings") if row["city"] == city and row["id"] in on_zillow]
    assert sorted(row["title"] for row in report.rows("listings")) == sorted(row["title"] for row in homes)
    assert {row["platform"] for row in report.rows("platforms")} <= {"zillow"}


def test_what_is_not_shown_is_said(first: Reporter, seeded: Seeded, connection: Connection) -> None:
    connection.execute(
        """INSERT INTO app.listings (organization_id, agent_id, title, property_type, street, city, state, zip, price, bedrooms,
            bathrooms, created_at)
        SELECT organization_id, agent_id, %s || number, property_type, street, city, state, zip, price, 2, 1.5, '2025-01-01Z'
        FROM app.listings CROSS JOIN generate_series(1, 300) AS number WHERE id = %s""",
        [str(uuid4()), seeded.listing_id],
    )
    rows, days = rows_for(connection, seeded)
    homes = [row for row in rows.of("app.listings") if row["created_at"] < rows.ends_at]
    (table, *_others) = first.report("listing-activity", **days).content["tables"]
    assert (len(table["rows"]), table["omitted"]) == (200, len(homes) - 200)
