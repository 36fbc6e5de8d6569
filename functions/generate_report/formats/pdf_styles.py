"""How a PDF looks: its paragraphs, its tables, and how wide their columns are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import TableStyle

from functions.generate_report.formats.pdf_text import width

RULE = "#1f5fa8"
_REGULAR, _BOLD = "Helvetica", "Helvetica-Bold"
_INK, _QUIET, _LINE = HexColor("#111827"), HexColor("#4b5563"), HexColor("#e5e7eb")
_CELL = 8.0  # points
_PADDING = 10.0  # points: a cell's, on both sides
_LEAST = 40.0  # points: a column of texts has at least so much
_FIGURES = (15, 11, 8)  # points, the largest that fits its card


def _style(name: str, size: float, *, bold: bool = False, **more: Any) -> ParagraphStyle:
    looks: dict[str, Any] = {
        "fontName": _BOLD if bold else _REGULAR,
        "fontSize": size,
        "leading": size * 1.3,
        "textColor": _INK,
    }
    return ParagraphStyle(name, **(looks | more))


STYLES = {
    style.name: style
    for style in (
        _style("organization", 10, bold=True, textColor=_QUIET),
        _style("title", 22, bold=True),
        _style("body", 10, textColor=_QUIET),
        _style("heading", 11.5, bold=True, spaceBefore=14, spaceAfter=5),
        _style("label", _CELL, textColor=_QUIET),
        *(_style(f"figure{size}", size, bold=True, leading=19.5) for size in _FIGURES),
        _style("cell", _CELL, splitLongWords=1),
        _style("number", _CELL, alignment=TA_RIGHT),
        _style("cell_head", _CELL, bold=True),
        _style("number_head", _CELL, bold=True, alignment=TA_RIGHT),
    )
}

TABLE_STYLE = TableStyle(
    [
        ("LINEBELOW", (0, 0), (-1, 0), 1, _QUIET),
        ("LINEBELOW", (0, 1), (-1, -1), 0.5, _LINE),
        ("VALIGN", (0, 0), (-1, 0), "BOTTOM"),
        ("VALIGN", (0, 1), (-1, -1), "TOP"),
        ("LEFTPADDING", (0, 0), (-1, -1), _PADDING / 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), _PADDING / 2),
        ("TOPPADDING", (0, 0), (-1, -1), 3),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
    ]
)


def card_style(cards: int, beside: int) -> TableStyle:
    """A box around each card, none around the empty places of the last row."""
    places = [(index % beside, index // beside) for index in range(cards)]
    boxes = [("BOX", place, place, 0.75, _LINE) for place in places]
    room = [
        ("TOPPADDING", (0, 0), (-1, -1), 6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
        ("LEFTPADDING", (0, 0), (-1, -1), 8),
    ]
    return TableStyle([*boxes, *room, ("VALIGN", (0, 0), (-1, -1), "TOP")])


def figure_style(figure: str, card: float) -> str:
    """The style in which a figure fits on one line of a card so wide, if it fits at all."""
    room = card - 2 * _PADDING
    return f"figure{next((size for size in _FIGURES if width(figure, _BOLD, size) <= room), _FIGURES[-1])}"


def column_widths(rows: Sequence[Sequence[str]], styles: Sequence[str], room: float) -> list[float]:
    """Numbers as wide as they are and dates too; texts get what they want, the longest what is left."""
    wanted = [max(map(_width, column)) + _PADDING for column in zip(*rows, strict=True)]
    if sum(wanted) <= room:
        return [each * room / sum(wanted) for each in wanted]
    head = [max(map(_width, label.split())) + _PADDING for label in rows[0]]
    numbers = [
        max(least, *(_width(row[index]) + _PADDING for row in rows[1:])) for index, least in enumerate(head)
    ]
    widths = {index: numbers[index] for index, style in enumerate(styles) if style == "number"}
    left = room - _LEAST * (len(wanted) - len(widths))
    if sum(widths.values()) > left:  # then they break too
        widths = {index: each * left / sum(widths.values()) for index, each in widths.items()}
    texts = sorted((each, index) for index, each in enumerate(wanted) if index not in widths)
    for number, (each, index) in enumerate(texts):
        share = (room - sum(widths.values())) / (len(texts) - number)
        # The last one takes all of it: it is the longest, and one of them is too long.
        widths[index] = share if number == len(texts) - 1 else min(each, share)
    return [widths[index] for index in range(len(wanted))]


def _width(text: str) -> float:
    return width(text, _BOLD, _CELL)
