"""The foot of each page of a PDF: whose report it is, when it was made, and which page of how many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import LETTER
from reportlab.pdfgen.canvas import Canvas

from functions.generate_report import words
from functions.generate_report.formats.pdf_text import draw, shortened, width
from functions.generate_report.model import Report

MARGIN = 54  # points
_FONT, _SIZE, _FOOT, _LEADING = "Helvetica", 7.5, 26, 10
_MOST_NAME = 420  # points of the organization's name


class _Pages(Canvas):
    """Keeps its pages until their number is known."""

    def __init__(self, *arguments: Any, report: Report, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._report, self._kept = report, list[dict[str, Any]]()

    def showPage(self) -> None:  # noqa: N802  # reportlab's name
        """Begin another page."""
        self._kept.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]  # the stubs lack it

    def save(self) -> None:
        """Write all pages, each with its foot."""
        for number, page in enumerate(self._kept, start=1):
            self.__dict__.update(page)
            self._draw_foot(f"Page {number} of {len(self._kept)}")
            super().showPage()
        super().save()

    def _draw_foot(self, page: str) -> None:
        self.setFillColor(HexColor("#4b5563"))
        draw(
            self, (MARGIN, _FOOT + _LEADING), _in_one_line(shortened(self._report.organization)), _FONT, _SIZE
        )
        self.setFont(_FONT, _SIZE)
        self.drawString(MARGIN, _FOOT, words.made_words(self._report))
        self.drawRightString(LETTER[0] - MARGIN, _FOOT, page)


def pages_of(report: Report) -> Callable[..., Canvas]:
    """What makes the canvas that a report is drawn on."""
    return lambda *arguments, **options: _Pages(*arguments, report=report, **options)


def _in_one_line(name: str) -> str:
    if width(name, _FONT, _SIZE) <= _MOST_NAME:
        return name
    while width(f"{name}…", _FONT, _SIZE) > _MOST_NAME:
        name = name[:-1]
    return f"{name.rstrip()}…"
