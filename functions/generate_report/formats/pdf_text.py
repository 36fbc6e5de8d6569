"""Text as PDF's own fonts can show it: Western European letters, which need no font in the file."""

from __future__ import annotations

import unicodedata

_ENCODING = "cp1252"
_BARRED = str.maketrans("łŁđĐħĦıŧŦ", "lLdDhHitT")  # which Unicode does not take apart


def text_of(text: str) -> str:
    """The text; a letter that the fonts lack loses its accents, and where that does not help it is a question mark."""
    return "".join(
        each if _known(each) else _nearest(each)
        for each in unicodedata.normalize("NFC", text.translate(_BARRED))
    )


def _nearest(character: str) -> str:
    plain = "".join(each for each in unicodedata.normalize("NFKD", character) if _known(each))
    return plain or ("" if unicodedata.combining(character) else "?")


def _known(character: str) -> bool:
    return character.isprintable() and bool(character.encode(_ENCODING, "ignore"))
