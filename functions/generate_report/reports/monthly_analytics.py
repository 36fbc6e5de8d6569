"""How an organization did: its people, its homes, what it was billed and what it mailed."""

from __future__ import annotations

from collections.abc import Iterator

from functions.generate_report.model import Chart, ChartKind, Figure, Unit
from functions.generate_report.reports import Content, Sources, figure, money, series, table
from functions.generate_report.snapshot import Row

_FIGURES = {
    "new_users": "New users",
    "new_members": "New members",
    "members": "Members",
    "active_users": "Active users",
    "activities": "Activities",
    "listings_published": "Listings published",
    "applications": "Applications",
    "mails": "Mails sent",
}
_STEPS = (
    ("active_users", "Active users", Unit.COUNT),
    ("activities", "Activities", Unit.COUNT),
    ("listings_published", "Listings published", Unit.COUNT),
    ("applications", "Applications", Unit.COUNT),
    ("invoices_paid", "Invoices paid", Unit.COUNT),
)
_ACTIONS = (
    ("action", "Action", Unit.TEXT),
    ("times", "Times", Unit.COUNT),
    ("users", "Users", Unit.COUNT),
)
_MOST_ACTIONS = 10


def read(sources: Sources) -> Content:
    """The report."""
    steps = sources.now.rows("analytics_steps")
    actions = sources.now.rows("analytics_actions", limit=_MOST_ACTIONS)
    return Content(
        title="Monthly analytics",
        figures=[*_figures(sources)],
        charts=[*_charts(sources, steps)],
        tables=[
            table(
                "steps", f"By {sources.period.step}", [_first(sources), *_STEPS], steps if _any(steps) else []
            ),
            table("actions", "Most frequent activities", _ACTIONS, actions),
        ],
    )


def _first(sources: Sources) -> tuple[str, str, Unit]:
    """The column that says which step a row is."""
    return ("first", sources.step_label, Unit.MONTH if sources.period.step == "month" else Unit.DATE)


def _any(steps: list[Row]) -> bool:
    return any(row[name] for row in steps for name, _label, _unit in _STEPS)


def _figures(sources: Sources) -> Iterator[Figure]:
    now, before = sources.both("analytics_summary")
    for name, label in _FIGURES.items():
        yield figure(name, label, now, before)
    for currency, paid, paid_before in sources.by_currency("analytics_invoices"):
        count = figure("paid", f"Invoices paid ({currency})", paid, paid_before)
        yield count.model_copy(update={"name": f"paid_{currency}"})
        yield money("collected", "Collected", currency, paid, paid_before)


def _charts(sources: Sources, steps: list[Row]) -> Iterator[Chart]:
    axis = {"places": sources.places(steps), "place_label": sources.step_label}
    yield Chart(
        name="active_users",
        title=f"Active users by {sources.period.step}",
        kind=ChartKind.LINES,
        value_label="Users",
        unit=Unit.COUNT,
        series=series(steps, active_users="Active users"),
        **axis,
    )
    yield Chart(
        name="homes",
        title=f"Listings and applications by {sources.period.step}",
        kind=ChartKind.BARS,
        value_label="Number",
        unit=Unit.COUNT,
        series=series(steps, listings_published="Listings published", applications="Applications"),
        **axis,
    )
