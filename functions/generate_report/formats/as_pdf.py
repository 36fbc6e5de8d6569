"""The report as a PDF: title, summary, charts and tables, with page numbers."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import LETTER
from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    HRFlowable,
    KeepTogether,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
)
from reportlab.platypus import Table as Grid

from functions.generate_report import words
from functions.generate_report.charts import WIDTH, draw
from functions.generate_report.formats.pdf_pages import MARGIN, pages_of
from functions.generate_report.formats.pdf_styles import (
    RULE,
    STYLES,
    TABLE_STYLE,
    card_style,
    column_widths,
    figure_style,
)
from functions.generate_report.formats.pdf_text import markup, shortened
from functions.generate_report.model import Chart, Report, Table, Unit

_CARDS = 4  # beside each other
_SHORT = 15  # rows
_FRAME = 6  # points that platypus keeps free on each side
_NUMBERS = {Unit.COUNT, Unit.MONEY, Unit.PERCENT, Unit.SECONDS}


def write(report: Report) -> bytes:
    """The file. The same report is the same bytes: it holds no time but the report's."""
    file = io.BytesIO()
    document = SimpleDocTemplate(
        file,
        pagesize=LETTER,
        leftMargin=MARGIN - _FRAME,
        rightMargin=MARGIN - _FRAME,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=f"{report.title}, {report.period}",
        author=report.organization,
        invariant=1,
    )
    document.build(list(_story(report)), canvasmaker=pages_of(report))
    return file.getvalue()


def _story(report: Report) -> Iterator[Flowable]:
    yield from _head(report)
    if report.empty:
        yield _text(words.NO_DATA, "body")
        return
    yield _cards(report)
    for chart in report.charts:
        yield KeepTogether([_text(chart.title, "heading"), _drawing(chart)])
    for table in report.tables:
        yield from _table(table)


def _head(report: Report) -> Iterator[Flowable]:
    yield _text(shortened(report.organization), "organization")
    yield _text(report.title, "title")
    yield _text(f"{report.period}, compared with {report.compared_with}", "body")
    if report.filters:
        yield _text(f"Only {words.filter_words(report)}", "body")
    yield HRFlowable(width="100%", thickness=2, color=HexColor(RULE), spaceBefore=6, spaceAfter=12)


def _cards(report: Report) -> Flowable:
    """The figures, so many in a row, with room between them."""
    cells: list[Any] = [
        [
            _text(figure.label, "label"),
            _text(words.figure_words(figure), figure_style(words.figure_words(figure), WIDTH / _CARDS)),
            _text(words.change_words(figure) or "\N{NO-BREAK SPACE}", "label"),
        ]
        for figure in report.figures
    ]
    cells += [""] * (-len(cells) % _CARDS)
    rows = [cells[start : start + _CARDS] for start in range(0, len(cells), _CARDS)]
    return Grid(rows, colWidths=[WIDTH / _CARDS] * _CARDS, style=card_style(len(report.figures), _CARDS))


def _drawing(chart: Chart) -> Flowable:
    drawing: Flowable = draw(chart)
    return drawing


def _table(table: Table) -> Iterator[Flowable]:
    """A short one on one page; a long one on several, where no heading stands alone at the foot of a page."""
    parts = [_text(table.title, "heading"), *_body(table)]
    if len(table.rows) <= _SHORT:
        yield KeepTogether(parts)
        return
    yield CondPageBreak(90)  # points
    yield from parts


def _body(table: Table) -> Iterator[Flowable]:
    if not table.rows:
        yield _text(table.empty, "body")
        return
    yield _grid(table)
    if note := words.note_words(table):
        yield Spacer(0, 3)
        yield _text(note, "label")


def _grid(table: Table) -> Flowable:
    styles = ["number" if column.unit in _NUMBERS else "cell" for column in table.columns]
    header = [
        _text(column.label, f"{style}_head") for column, style in zip(table.columns, styles, strict=True)
    ]
    cells = [[shortened(cell) for cell in row] for row in words.rows_words(table)]
    rows = [[_text(cell, style) for cell, style in zip(row, styles, strict=True)] for row in cells]
    widths = column_widths([[column.label for column in table.columns], *cells], styles, WIDTH)
    return Grid([header, *rows], colWidths=widths, repeatRows=1, style=TABLE_STYLE)


def _text(text: str, style: str) -> Paragraph:
    return Paragraph(markup(text), STYLES[style])
