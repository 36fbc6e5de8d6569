"""One module per report type: `read` makes its content of what the statements in ../sql find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from functions.generate_report.model import Chart, Column, Figure, Series, Table, Unit, Value
from functions.generate_report.period import Period
from functions.generate_report.snapshot import Row, Snapshot

MOST_ROWS = 200  # of a table
_STEP_FORMATS = {"day": "{0.day} {0:%b}", "week": "{0.day} {0:%b}", "month": "{0:%b} ’{0:%y}"}


@dataclass(frozen=True, slots=True)
class Sources:
    """What a report is made of: its days, and what there was on these and on those before."""

    period: Period
    now: Snapshot
    before: Snapshot

    @property
    def step_label(self) -> str:
        """What the axis of a chart by steps is called."""
        return {"day": "Day", "week": "Week from", "month": "Month"}[self.period.step]

    def places(self, steps: Sequence[Row]) -> list[str]:
        """The steps as they stand at a chart's axis."""
        return [_STEP_FORMATS[self.period.step].format(row["first"]) for row in steps]

    def both(self, name: str) -> tuple[Row, Row]:
        """The only row of a statement, now and before."""
        (now,), (before,) = self.now.rows(name), self.before.rows(name)
        return now, before

    def by_currency(self, name: str) -> Iterator[tuple[str, Row, Row]]:
        """The rows of a statement in each currency, now and before; an empty one where there was none."""
        now = {row["currency"]: row for row in self.now.rows(name)}
        before = {row["currency"]: row for row in self.before.rows(name)}
        for currency in sorted(now | before):
            yield currency, now.get(currency, {}), before.get(currency, {})


@dataclass(frozen=True, slots=True)
class Content:
    """What one type of report says."""

    title: str
    figures: list[Figure]
    charts: list[Chart] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


def month_name(first: date) -> str:
    """A month as it stands at a chart's axis."""
    return _STEP_FORMATS["month"].format(first)


def figure(
    name: str, label: str, now: Row, before: Row | None, unit: Unit = Unit.COUNT, **more: Any
) -> Figure:
    """A figure from the column of its name; of a row that is empty it is 0."""
    return Figure(
        name=name,
        label=label,
        unit=unit,
        value=now.get(name, 0),
        before=None if before is None else before.get(name, 0),
        **more,
    )


def money(name: str, label: str, currency: str, now: Row, before: Row) -> Figure:
    """An amount in one currency."""
    made = figure(name, f"{label} ({currency})", now, before, Unit.MONEY, currency=currency)
    return made.model_copy(update={"name": f"{name}_{currency}"})


def table(
    name: str, title: str, columns: Sequence[tuple[str, str, Unit]], rows: Sequence[Row], **more: Any
) -> Table:
    """A table of the rows' columns, which are given as name, label and unit."""
    cells: list[list[Value]] = [[row[column] for column, _label, _unit in columns] for row in rows]
    more.setdefault("omitted", rows[0].get("total", len(rows)) - len(rows) if rows else 0)
    made = [Column(name=column, label=label, unit=unit) for column, label, unit in columns]
    return Table(name=name, title=title, columns=made, rows=cells, **more)


def series(rows: Sequence[Row], **labels: str) -> list[Series]:
    """A series of each column named, with its label."""
    return [Series(label=label, values=[row[name] for row in rows]) for name, label in labels.items()]
