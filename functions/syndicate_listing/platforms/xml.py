"""XML as feeds need it: elements with a text or attributes, left out where there is nothing to say."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring


def add(parent: Element, tag: str, value: object = "", /, **attributes: object) -> Element | None:
    """A child with this text and these attributes; none for the value None. An attribute of None is left out."""
    if value is None:
        return None
    child = SubElement(parent, tag, texts(attributes))
    if value != "":
        child.text = str(value)
    return child


def nest(parent: Element, tag: str, /, **attributes: object) -> Element:
    """A child that takes children."""
    return SubElement(parent, tag, texts(attributes))


def texts(attributes: dict[str, object]) -> dict[str, str]:
    """Attributes as XML has them."""
    return {name: str(value) for name, value in attributes.items() if value is not None}


def document(root: Element) -> bytes:
    """The document in UTF-8, with its declaration."""
    body: bytes = tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body
