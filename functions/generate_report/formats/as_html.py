"""The report as a page of its own: charts are within it, and nothing is loaded from anywhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from functions.generate_report import words
from functions.generate_report.charts import svg
from functions.generate_report.model import Chart, Column, Report, Unit

_SHORT, _LONG = 8, 13  # characters of a figure
_TEMPLATES = Path(__file__).parent.parent / "templates"


def write(report: Report) -> bytes:
    """The file."""
    return _template().render(report=report).encode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=words, svg=_svg, kind_of=_kind_of, size_of=_size_of)
    return environment.get_template("report.html")


def _svg(chart: Chart) -> Markup:
    return Markup(svg(chart))  # noqa: S704  # made and escaped by reportlab


def _kind_of(column: Column) -> Markup:
    """Its cells' class: numbers stand at the right, and days do not break."""
    match column.unit:
        case Unit.TEXT | Unit.CURRENCY:
            return Markup()
        case Unit.DATE | Unit.MONTH:
            return Markup(' class="day"')
    return Markup(' class="number"')


def _size_of(figure: str) -> Markup:
    """Its class, by which it fits its card."""
    if len(figure) <= _SHORT:
        return Markup()
    return Markup(' class="long"') if len(figure) <= _LONG else Markup(' class="longer"')
