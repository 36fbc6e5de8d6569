"""Charts as reportlab draws them: into a PDF, or as SVG into a page."""

from __future__ import annotations

import re
from typing import Any

from reportlab.graphics import renderSVG
from reportlab.graphics.charts.barcharts import VerticalBarChart
from reportlab.graphics.charts.legends import Legend
from reportlab.graphics.charts.linecharts import HorizontalLineChart
from reportlab.graphics.shapes import Drawing, String
from reportlab.graphics.widgets.markers import Marker
from reportlab.lib.colors import HexColor
from reportlab.pdfbase.pdfmetrics import stringWidth

from functions.generate_report.model import Chart, ChartKind
from functions.generate_report.ticks import axis_of, scaled

WIDTH, HEIGHT = 504, 172  # points
FONT, SIZE = "Helvetica", 7.5
_COLOURS = [HexColor(f"#{each}") for each in ("1f5fa8", "e08a1e", "2f9e74", "b3405c", "7a63b8", "6b7280")]
_INK, _GRID = HexColor("#4b5563"), HexColor("#e5e7eb")
_LEFT, _RIGHT, _BOTTOM, _TOP = 52, 10, 44, 26  # points around the plot, at the left at least


def draw(chart: Chart) -> Drawing:
    """The chart with its axes, their names, and a legend where there are several series."""
    drawing = Drawing(WIDTH, HEIGHT)
    plot: Any = HorizontalLineChart() if chart.kind is ChartKind.LINES else VerticalBarChart()
    plot.x, plot.y = _left(chart), _BOTTOM
    plot.width, plot.height = WIDTH - plot.x - _RIGHT, HEIGHT - _BOTTOM - _TOP
    plot.data = [[scaled(value, chart) for value in series.values] for series in chart.series]
    _set_values(plot, chart)
    _set_places(plot, chart)
    (_set_lines if chart.kind is ChartKind.LINES else _set_bars)(plot, chart)
    drawing.add(plot)
    _add_names(drawing, plot, chart)
    if len(chart.series) > 1:
        drawing.add(_legend(chart))
    return drawing


def svg(chart: Chart) -> str:
    """The chart as an SVG element."""
    text: str = renderSVG.drawToString(draw(chart))
    # Several are on one page, where an id may be there once.
    return re.sub(r'(id="|url\(#)(clip|group)', rf"\1\2-{chart.name}", text[text.index("<svg") :])


def _left(chart: Chart) -> float:
    """Where the plot begins: right of the widest value at its axis."""
    ticks = axis_of(chart)
    widest = max(stringWidth(ticks.label(value), FONT, SIZE) for value in (ticks.step, ticks.top))
    return max(_LEFT, float(widest) + 12)


def _set_values(plot: Any, chart: Chart) -> None:
    axis, ticks = plot.valueAxis, axis_of(chart)
    axis.valueMin, axis.valueMax, axis.valueStep = 0, ticks.top, ticks.step
    axis.labelTextFormat = ticks.label
    axis.labels.fontName, axis.labels.fontSize, axis.labels.fillColor = FONT, SIZE, _INK
    axis.visibleAxis = axis.visibleTicks = False
    axis.visibleGrid, axis.gridStrokeColor, axis.gridStrokeWidth = True, _GRID, 0.5
    axis.gridStart, axis.gridEnd = plot.x, plot.x + plot.width


def _set_places(plot: Any, chart: Chart) -> None:
    axis = plot.categoryAxis
    axis.categoryNames = (_thinned if chart.in_time else _wrapped)(chart.places, plot.width)
    axis.labels.fontName, axis.labels.fontSize, axis.labels.fillColor = FONT, SIZE, _INK
    axis.labels.boxAnchor, axis.labels.dy = "n", -4
    axis.visibleTicks, axis.strokeColor = False, _INK
    axis.strokeWidth = 0.6


def _thinned(places: list[str], width: float) -> list[str]:
    """As many names as have room beside each other: all, or one in so many."""
    widest = max((stringWidth(place, FONT, SIZE) for place in places), default=0.0) + 8
    every = max(1, -int(-widest * len(places) // width))
    return [place if index % every == 0 else "" for index, place in enumerate(places)]


def _wrapped(places: list[str], width: float) -> list[str]:
    """Each name, broken into lines as wide as its place."""
    room = width / max(len(places), 1) - 4
    return ["\n".join(_lines(place, room)) for place in places]


def _lines(place: str, room: float) -> list[str]:
    lines = [""]
    for part in re.findall(r"[^ -]+[ -]?", place):
        if lines[-1] and stringWidth(lines[-1] + part.rstrip(), FONT, SIZE) > room:
            lines.append("")
        lines[-1] += part
    return lines


def _set_lines(plot: Any, chart: Chart) -> None:
    plot.joinedLines = 1
    for index in range(len(chart.series)):
        line = plot.lines[index]
        line.strokeColor, line.strokeWidth = _COLOURS[index % len(_COLOURS)], 1.8
        if len(chart.places) <= 40:  # else they hide the line
            line.symbol = Marker()
            line.symbol.kind, line.symbol.size = "FilledCircle", 4
            line.symbol.fillColor = line.symbol.strokeColor = line.strokeColor


def _set_bars(plot: Any, chart: Chart) -> None:
    plot.categoryAxis.style = "stacked" if chart.kind is ChartKind.STACKED else "parallel"
    plot.groupSpacing, plot.barSpacing = 4, 0.5
    plot.bars.strokeColor = None
    plot.bars.strokeWidth = 0
    for index in range(len(chart.series)):
        plot.bars[index].fillColor = _COLOURS[index % len(_COLOURS)]


def _below(plot: Any) -> float:
    """Under the places' names, which have one line or several."""
    lines = max(1 + name.count("\n") for name in plot.categoryAxis.categoryNames)
    return float(_BOTTOM - 15 - 9 * lines)


def _add_names(drawing: Drawing, plot: Any, chart: Chart) -> None:
    """What the values are, above their axis; what the places are, below theirs."""
    middle = plot.x + plot.width / 2
    for name in (String(2, HEIGHT - 10, chart.value_label), String(middle, _below(plot), chart.place_label)):
        name.fontName, name.fontSize, name.fillColor = FONT, SIZE, _INK
        name.textAnchor = "middle" if name.x == middle else "start"
        drawing.add(name)


def _legend(chart: Chart) -> Legend:
    legend = Legend()
    legend.x, legend.y, legend.boxAnchor = WIDTH - _RIGHT, HEIGHT - 2, "ne"
    legend.fontName, legend.fontSize, legend.fillColor = FONT, SIZE, _INK
    legend.columnMaximum, legend.alignment = 1, "right"
    legend.dx = legend.dy = 7
    legend.dxTextSpace, legend.deltax = 4, 12
    legend.autoXPadding, legend.variColumn = 12, True
    legend.strokeWidth, legend.strokeColor = 0, None
    legend.colorNamePairs = [
        (_COLOURS[index % len(_COLOURS)], series.label) for index, series in enumerate(chart.series)
    ]
    return legend
