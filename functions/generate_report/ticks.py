"""A chart's axis of values: from nought to a round number, in a few round steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from functions.generate_report.model import Chart, ChartKind, Number, Unit
from shared.emails.wording import major_units

_STEPS = 5  # at most
_ROUND = (1, 2, 2.5, 5, 10)
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}


@dataclass(frozen=True, slots=True)
class Axis:
    """Where it ends, how far its ticks are apart, and how each is written."""

    top: float
    step: float
    label: Callable[[float], str]


def axis_of(chart: Chart) -> Axis:
    """The axis on which all of a chart's values fit."""
    step = _step(_highest(chart), whole=chart.unit is Unit.COUNT)
    top = step * max(1, math.ceil(round(_highest(chart) / step, 9)))
    decimals = max(0, -math.floor(round(math.log10(step), 9))) if step < 1 else int(step == 2.5)
    symbol = _SYMBOLS.get(chart.currency or "", "")
    return Axis(top, step, lambda value: f"{symbol}{value:,.{decimals}f}")


def scaled(value: int | Number | None, chart: Chart) -> float | None:
    """A value as the axis has it: money in whole units."""
    if value is None:
        return None
    if chart.unit is Unit.MONEY and chart.currency is not None:
        return float(major_units(int(value), chart.currency))
    return float(value)


def _highest(chart: Chart) -> float:
    columns = zip(
        *([scaled(value, chart) or 0.0 for value in each.values] for each in chart.series), strict=True
    )
    together = sum if chart.kind is ChartKind.STACKED else max
    return max((together(column) for column in columns), default=0.0)


def _step(highest: float, *, whole: bool) -> float:
    """The smallest round step with which a few are enough."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest / _STEPS))
    step = next(each * power for each in _ROUND if each * power * _STEPS >= highest * (1 - 1e-12))
    return float(max(1, math.ceil(step))) if whole and step < 5 else step
