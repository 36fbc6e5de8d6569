"""How the homes do: on the market, on the platforms, and who applies for them."""

from __future__ import annotations

from collections.abc import Iterator

from functions.generate_report.model import Chart, ChartKind, Column, Table, Unit
from functions.generate_report.reports import MOST_ROWS, Content, Sources, figure, series, table
from functions.generate_report.snapshot import Row

_FIGURES = {
    "added": "Listings added",
    "published": "Listings published",
    "applications": "Applications",
    "listings_applied_for": "Listings applied for",
    "leads": "New leads",
    "matches": "New matches",
}
_LISTINGS = (
    ("title", "Listing", Unit.TEXT),
    ("city", "City", Unit.TEXT),
    ("status", "Status", Unit.TEXT),
    ("rent", "Rent a month", Unit.MONEY),
    ("applications", "Applications", Unit.COUNT),
    ("matches", "Matches", Unit.COUNT),
    ("platforms", "Live on", Unit.COUNT),
    ("days_on_market", "Days on market", Unit.COUNT),
)
_STATUSES = (
    ("status", "Status", Unit.TEXT),
    ("listings", "Listings", Unit.COUNT),
    ("days_on_market", "Median days on market", Unit.COUNT),
)
_PLATFORMS = (
    ("platform", "Platform", Unit.TEXT),
    ("live", "Live", Unit.COUNT),
    ("pending", "Pending", Unit.COUNT),
    ("failed", "Failed", Unit.COUNT),
    ("removed", "Removed", Unit.COUNT),
)
_NOW = "As they stood when the report was made."


def read(sources: Sources) -> Content:
    """The report."""
    now, before = sources.both("listings_summary")
    statuses = sources.now.rows("listings_statuses")
    platforms = sources.now.rows("listings_platforms")
    return Content(
        title="Listing activity",
        figures=[figure(name, label, now, before) for name, label in _FIGURES.items()],
        charts=[*_charts(sources, statuses, platforms)],
        tables=[
            _listings(sources),
            table("statuses", "By status", _STATUSES, statuses if _any(statuses) else [], note=_NOW),
            table("platforms", "By platform", _PLATFORMS, platforms, note=_NOW),
        ],
    )


def _any(statuses: list[Row]) -> bool:
    return any(row["listings"] for row in statuses)


def _listings(sources: Sources) -> Table:
    rows = sources.now.rows("listings_each", limit=MOST_ROWS)
    note = f"Applications within the period, all else as of its end; status and platforms: {_NOW[0].lower()}{_NOW[1:]}"
    made = table("listings", "By listing", _LISTINGS, rows, note=note)
    return made.model_copy(update={"columns": [_with_currency(column) for column in made.columns]})


def _with_currency(column: Column) -> Column:
    """Homes are in one country: their rents need no column for it."""
    return column.model_copy(update={"currency": "USD"}) if column.unit is Unit.MONEY else column


def _charts(sources: Sources, statuses: list[Row], platforms: list[Row]) -> Iterator[Chart]:
    steps = sources.now.rows("listings_steps")
    yield Chart(
        name="demand",
        title=f"Demand by {sources.period.step}",
        kind=ChartKind.BARS,
        places=sources.places(steps),
        place_label=sources.step_label,
        value_label="Number",
        unit=Unit.COUNT,
        series=series(steps, applications="Applications", leads="New leads", published="Listings published"),
    )
    yield Chart(
        name="statuses",
        title="Listings by status",
        kind=ChartKind.BARS,
        places=[row["status"] for row in statuses],
        in_time=False,
        place_label="Status",
        value_label="Listings",
        unit=Unit.COUNT,
        series=series(statuses, listings="Listings"),
    )
    yield Chart(
        name="platforms",
        title="Advertisements by platform",
        kind=ChartKind.STACKED,
        places=[row["platform"] for row in platforms],
        in_time=False,
        place_label="Platform",
        value_label="Advertisements",
        unit=Unit.COUNT,
        series=series(platforms, live="Live", pending="Pending", failed="Failed", removed="Removed"),
    )
