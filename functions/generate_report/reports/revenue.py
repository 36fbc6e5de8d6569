"""Recurring revenue, what was billed and paid, and what came and went."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby

from functions.generate_report.model import Chart, ChartKind, Figure, Table, Unit
from functions.generate_report.reports import (
    MOST_ROWS,
    Content,
    Sources,
    figure,
    money,
    month_name,
    series,
    table,
)
from functions.generate_report.snapshot import Row

_MONTHS = (
    ("month", "Month", Unit.MONTH),
    ("currency", "Currency", Unit.CURRENCY),
    ("recurring", "MRR at its end", Unit.MONEY),
    ("subscriptions", "Subscriptions", Unit.COUNT),
    ("invoiced", "Billed", Unit.MONEY),
    ("collected", "Collected", Unit.MONEY),
)
_PLANS = (
    ("plan", "Plan", Unit.TEXT),
    ("currency", "Currency", Unit.CURRENCY),
    ("subscriptions", "Subscriptions", Unit.COUNT),
    ("recurring", "MRR", Unit.MONEY),
)
_UNPAID = (
    ("number", "Invoice", Unit.TEXT),
    ("billed", "Billed on", Unit.DATE),
    ("due", "Due on", Unit.DATE),
    ("currency", "Currency", Unit.CURRENCY),
    ("outstanding", "Outstanding", Unit.MONEY),
    ("failed_payments", "Failed payments", Unit.COUNT),
)


def read(sources: Sources) -> Content:
    """The report."""
    months = sources.now.rows("revenue_months")
    return Content(
        title="Revenue",
        figures=[*_recurring(sources), *_invoices(sources)],
        charts=list(_charts(months)),
        tables=list(_tables(sources, months)),
    )


def _recurring(sources: Sources) -> Iterator[Figure]:
    for currency, now, before in sources.by_currency("revenue_recurring"):
        yield money("at_end", "MRR", currency, now, before)
        yield money("new", "New MRR", currency, now, before)
        yield money("lost", "Lost MRR", currency, now, before)
        rates = {"churn": _churn(now)}, {"churn": _churn(before)}
        churn = figure("churn", f"Churn of MRR ({currency})", *rates, Unit.PERCENT)
        yield churn.model_copy(update={"name": f"churn_{currency}"})


def _churn(row: Row) -> Decimal | None:
    """What was lost of that which there was at the start, per cent; of nothing there is no share."""
    if not row.get("at_start"):
        return None
    return (Decimal(100) * int(row["lost"]) / int(row["at_start"])).quantize(Decimal("0.1"), ROUND_HALF_UP)


def _invoices(sources: Sources) -> Iterator[Figure]:
    failed, failed_before = 0, 0
    for currency, now, before in sources.by_currency("revenue_invoices"):
        yield money("collected", "Collected", currency, now, before)
        yield money("outstanding", "Outstanding", currency, now, before)
        failed, failed_before = (
            failed + now.get("failed_payments", 0),
            failed_before + before.get("failed_payments", 0),
        )
    rows = {"failed_payments": failed}, {"failed_payments": failed_before}
    yield figure("failed_payments", "Failed payments", *rows)


def _charts(months: list[Row]) -> Iterator[Chart]:
    """Two for each currency: amounts of several are never on one axis."""
    for currency, rows in groupby(months, key=lambda row: str(row["currency"])):
        found = list(rows)
        places = [month_name(row["month"]) for row in found]
        yield Chart(
            name=f"recurring_{currency}",
            title=f"Monthly recurring revenue ({currency})",
            kind=ChartKind.LINES,
            places=places,
            place_label="Month",
            value_label=f"MRR at its end, {currency}",
            unit=Unit.MONEY,
            currency=currency,
            series=series(found, recurring="MRR"),
        )
        yield Chart(
            name=f"invoices_{currency}",
            title=f"Billed and collected ({currency})",
            kind=ChartKind.BARS,
            places=places,
            place_label="Month",
            value_label=f"Amount, {currency}",
            unit=Unit.MONEY,
            currency=currency,
            series=series(found, invoiced="Billed", collected="Collected"),
        )


def _tables(sources: Sources, months: list[Row]) -> Iterator[Table]:
    shown = [row for row in months if row["recurring"] or row["invoiced"] or row["collected"]]
    whole = "Whole months, also those before the period: at least the year up to its end."
    yield table("months", "By month", _MONTHS, shown, note=whole)
    plans = sources.now.rows("revenue_plans")
    yield table("plans", "By plan", _PLANS, plans, note="At the end of the period.")
    unpaid = sources.now.rows("revenue_unpaid", limit=MOST_ROWS)
    yield table("unpaid", "Unpaid invoices", _UNPAID, unpaid, empty="Every invoice was paid.")
