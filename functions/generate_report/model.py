"""What a report says. Every format writes this and nothing else, so that their figures agree."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, cast

from pydantic import PlainSerializer

from shared.envelope import WireModel


class Unit(StrEnum):
    """What a value is: of money the currency's smallest unit, of shares per cent."""

    TEXT = "text"
    DATE = "date"
    MONTH = "month"
    CURRENCY = "currency"
    COUNT = "count"
    MONEY = "money"
    PERCENT = "percent"
    SECONDS = "seconds"


Number = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]
Value = int | Number | date | str | None  # None: there is nothing to say, as a share of none


class Figure(WireModel):
    """One number of the summary, and what it was in the period before."""

    name: str
    label: str
    unit: Unit
    value: int | Number | None
    before: int | Number | None = None
    currency: str | None = None


class Column(WireModel):
    """One column of a table; `currency` where all of its money is in the same."""

    name: str
    label: str
    unit: Unit
    currency: str | None = None


class Table(WireModel):
    """Rows under columns. Money is in its column's currency, or in the one that the row's column `currency` names.

    `omitted` is how many rows there are besides those shown; `empty` what to say where there is none.
    """

    name: str
    title: str
    columns: list[Column]
    rows: list[list[Value]]
    note: str | None = None
    empty: str = "Nothing in this period."
    omitted: int = 0

    def currency(self, row: Sequence[Value], column: Column) -> str | None:
        """What a cell's money is in."""
        named = (cell for cell, each in zip(row, self.columns, strict=True) if each.unit is Unit.CURRENCY)
        return column.currency or cast("str | None", next(named, None))


class Series(WireModel):
    """One line or one colour of bars: a value for each place on the chart's axis."""

    label: str
    values: list[int | Number | None]


class ChartKind(StrEnum):
    """How a chart is drawn: states as lines, amounts and counts as bars, parts of a whole on top of each other."""

    LINES = "lines"
    BARS = "bars"
    STACKED = "stacked"


class Chart(WireModel):
    """Series over the same places; `in_time`: these follow each other, so that not all need their name."""

    name: str
    title: str
    kind: ChartKind
    places: list[str]
    place_label: str
    value_label: str
    unit: Unit
    series: list[Series]
    currency: str | None = None
    in_time: bool = True

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(value for series in self.series for value in series.values)


class Report(WireModel):
    """A whole report. The first table is the main one."""

    report_type: str
    title: str
    organization: str
    time_zone: str
    first_day: date
    last_day: date
    period: str
    compared_with: str
    filters: dict[str, list[str]]
    generated_at: datetime
    figures: list[Figure]
    charts: list[Chart]
    tables: list[Table]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to report at all."""
        return not any(figure.value for figure in self.figures) and not any(
            table.rows for table in self.tables
        )
