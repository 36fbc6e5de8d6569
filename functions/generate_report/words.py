"""A report's values as people read them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from functions.generate_report.model import Figure, Report, Table, Unit, Value
from shared.emails.wording import calendar_day, moment, money, number

NOTHING = "–"
NO_DATA = "No data in this period."


def shown(value: Value, unit: Unit, currency: str | None = None) -> str:
    """A value with its unit.

    >>> shown(123456, Unit.MONEY, "USD"), shown(Decimal("0.25"), Unit.SECONDS), shown(None, Unit.PERCENT)
    ('$1,234.56', '250 ms', '–')
    """
    if value is None:
        return NOTHING
    if isinstance(value, date):
        return f"{value:%B %Y}" if unit is Unit.MONTH else calendar_day(value)
    return value if isinstance(value, str) else _number(value, unit, currency)


def figure_words(figure: Figure) -> str:
    """What a figure is."""
    return shown(figure.value, figure.unit, figure.currency)


def change_words(figure: Figure) -> str:
    """How a figure differs from the period before: of shares in percentage points, of all else in per cent."""
    if figure.value is None or figure.before is None:
        return ""
    difference = Decimal(figure.value) - Decimal(figure.before)
    if difference == 0:
        return "unchanged"
    if figure.unit is Unit.PERCENT:
        return f"{difference:+.1f} points"
    if figure.before == 0:
        return f"from {shown(figure.before, figure.unit, figure.currency)}"
    return f"{100 * difference / Decimal(figure.before):+,.0f}%"


def rows_words(table: Table) -> list[list[str]]:
    """A table's cells."""
    return [
        [
            shown(cell, column.unit, table.currency(row, column))
            for cell, column in zip(row, table.columns, strict=True)
        ]
        for row in table.rows
    ]


def note_words(table: Table) -> str:
    """What is to be known of a table."""
    left_out = f"{number(table.omitted)} more are not shown." if table.omitted else ""
    return " ".join(each for each in (table.note, left_out) if each)


def filter_words(report: Report) -> str:
    """What the report was narrowed to."""
    given = (f"{name.replace('_', ' ')}: {', '.join(values)}" for name, values in report.filters.items())
    return "; ".join(given)


def made_words(report: Report) -> str:
    """When the report was made, and whose days it goes by."""
    return f"Made on {moment(report.generated_at)}. Days are those of {report.time_zone}."


def highlights(report: Report) -> list[str]:
    """The first figures as sentences of a mail, at most five."""
    if report.empty:
        return [NO_DATA]
    return [_sentence(figure) for figure in report.figures if figure.value is not None][:5]


def _sentence(figure: Figure) -> str:
    change = change_words(figure)
    return f"{figure.label}: {figure_words(figure)}" + (f" ({change})" if change else "")


def _number(value: int | Decimal, unit: Unit, currency: str | None) -> str:
    if unit is Unit.MONEY and currency is not None:
        return money(int(value), currency)
    if unit is Unit.SECONDS:
        return _duration(Decimal(value))
    return f"{value:.1f}%" if unit is Unit.PERCENT else f"{value:,}"


def _duration(seconds: Decimal) -> str:
    if round(seconds, 3) < Decimal("0.9995"):
        return f"{seconds * 1000:.0f} ms"
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
