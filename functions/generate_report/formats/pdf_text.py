"""Text in a PDF: in its own fonts as far as they go, which need none in the file, and what they lack in others.

Cyrillic, Greek and the rest of Latin are in Noto Sans, of which the file gets the letters it uses. Chinese, Japanese and
Korean are in the fonts that PDF readers know by name and bring themselves: a font of theirs would be 16 MB.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import groupby
from xml.sax.saxutils import escape

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

_ENCODING = "cp1252"
_NOTO, _CHINESE, _JAPANESE, _KOREAN = "NotoSans", "STSong-Light", "HeiseiKakuGo-W5", "HYGothic-Medium"
_WIDE = {"W", "F", "H"}  # as Unicode calls what is East Asian, half-width katakana too
_LONGEST = 300  # characters
_LAST_OF_READERS = 0xFFFF  # readers' fonts go no further


def shortened(text: str) -> str:
    """The text, or so much of it that a cell of a table stays shorter than a page."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()}…"


def markup(text: str) -> str:
    """The text for a Paragraph, with its font where that is not the style's."""
    return "".join(
        escape(part) if font is None else f'<font name="{font}">{escape(part)}</font>'
        for font, part in _runs(text)
    )


def width(text: str, font: str, size: float) -> float:
    """How many points it takes."""
    return sum(stringWidth(part, other or font, size) for other, part in _runs(text))


def draw(canvas: Canvas, place: tuple[float, float], text: str, font: str, size: float) -> None:
    """Write one line onto a page."""
    x, y = place
    for other, part in _runs(text):
        canvas.setFont(other or font, size)
        canvas.drawString(x, y, part)
        x += stringWidth(part, other or font, size)


def _runs(text: str) -> Iterator[tuple[str | None, str]]:
    """Its parts, each with the font that has it, None for the one around it; what no font has is a question mark."""
    composed = unicodedata.normalize("NFC", text)
    east_asian = _east_asian_font(composed)
    shown = (_shown(each, east_asian) for each in composed)
    for font, run in groupby(filter(None, shown), key=lambda pair: pair[0]):
        yield font, "".join(part for _font, part in run)


def _shown(character: str, east_asian: str) -> tuple[str | None, str] | None:
    """A character and its font; None for a mark that nothing carries."""
    if not character.isprintable():
        return None, "?"
    if character.encode(_ENCODING, "ignore"):
        return None, character
    if _is_east_asian(character):
        return _registered(east_asian), character
    if ord(character) in _noto():
        return _NOTO, character
    return None if unicodedata.combining(character) else (None, "?")


def _is_east_asian(character: str) -> bool:
    is_wide = unicodedata.east_asian_width(character) in _WIDE and ord(character) <= _LAST_OF_READERS
    return is_wide and unicodedata.category(character) != "So"  # emoji are


def _east_asian_font(text: str) -> str:
    """The font for the ideographs of a text, which are Chinese unless something else in it says otherwise."""
    scripts = {unicodedata.name(each, "").partition(" ")[0] for each in text}
    if "HANGUL" in scripts:
        return _KOREAN
    return _JAPANESE if scripts & {"HIRAGANA", "KATAKANA", "HALFWIDTH"} else _CHINESE


@cache
def _registered(font: str) -> str:
    pdfmetrics.registerFont(UnicodeCIDFont(font))
    return font


@cache
def _noto() -> frozenset[int]:
    """What Noto Sans has; read where a report needs it."""
    file = files("fontpkg_noto_sans") / "files" / "NotoSans[wdth,wght].ttf"
    font = TTFont(_NOTO, str(file))
    pdfmetrics.registerFont(font)
    return frozenset(font.face.charToGlyph)
