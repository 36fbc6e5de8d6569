"""An organization's plain rows, of which tests compute a report's figures by Python alone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from infra.seed import Seeded
from shared.database import Connection

Row = dict[str, Any]


class Rows:
    """All rows of one organization, and which of them lie within the days of its own clock."""

    def __init__(self, connection: Connection, organization_id: int, start: date, end: date) -> None:
        self._connection, self._id = connection, organization_id
        (organization,) = connection.execute(
            "SELECT time_zone FROM app.organizations WHERE id = %s", [organization_id]
        ).fetchall()
        self.zone = ZoneInfo(organization["time_zone"])
        self.start, self.end = start, end

    def of(self, table: str) -> list[Row]:
        query = f"SELECT * FROM {table} WHERE organization_id = %s ORDER BY 1"
        return self._connection.execute(query.encode(), [self._id]).fetchall()

    def day(self, at: datetime) -> date:
        return at.astimezone(self.zone).date()

    def within(self, at: datetime | None) -> bool:
        return at is not None and self.start <= self.day(at) <= self.end

    def count(self, table: str, column: str = "created_at") -> int:
        return sum(self.within(row[column]) for row in self.of(table))

    @property
    def ends_at(self) -> datetime:
        return datetime.combine(self.end + timedelta(days=1), time(), self.zone)

    def published(self) -> dict[int, datetime]:
        """When each home was advertised first."""
        found: dict[int, datetime] = {}
        for row in self.of("app.listing_syndications"):
            if row["published_at"] is not None:
                found[row["listing_id"]] = min(
                    row["published_at"], found.get(row["listing_id"], row["published_at"])
                )
        return found


def rows_for(connection: Connection, seeded: Seeded, days: int = 120) -> tuple[Rows, dict[str, date]]:
    """The first organization's rows, and the days as a report is asked for them: until the day before yesterday."""
    end = seeded.now.date() - timedelta(days=2)
    start = end - timedelta(days=days)
    return Rows(connection, seeded.organization_id, start, end), {"start_date": start, "end_date": end}
