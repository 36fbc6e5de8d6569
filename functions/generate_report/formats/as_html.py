"""The report as a page of its own: charts are within it, and nothing is loaded from anywhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from functions.generate_report import words
from functions.generate_report.charts import svg
from functions.generate_report.model import Chart, Column, Report, Unit

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
    environment.globals.update(words=words, svg=_svg, is_number=_is_number)
    return environment.get_template("report.html")


def _svg(chart: Chart) -> Markup:
    return Markup(svg(chart))  # noqa: S704  # made and escaped by reportlab


def _is_number(column: Column) -> bool:
    return column.unit not in {Unit.TEXT, Unit.DATE, Unit.MONTH, Unit.CURRENCY}
