"""Destinations, which the API takes verbatim: `//`, `..` and the query are the caller's."""

import re
from urllib.parse import unquote_plus

from yarl import URL

from ..errors import Refused
from .names import is_name

_VISIBLE = re.compile(r"[!-~]+")
_SCHEME = re.compile(r"https?://", re.IGNORECASE)


def check_destination(text: str) -> str:
    """`text`, if it is the URL of a destination.

    Raises Refused: 404 for a name without a scheme (that would be a URL group), else 400.
    """
    if is_name(text):
        raise Refused(404, f"url group {text} not found")
    if text.startswith("api/"):
        raise Refused(
            400, f"invalid destination url: {text[:50]!a} is not served here, publish to the provider's URL"
        )
    return check_url(text)


def check_url(text: str) -> str:
    """`text`, if it is an http or https URL. Raises Refused (400)."""
    if not _SCHEME.match(text):
        raise Refused(400, "invalid destination url: endpoint has invalid scheme, add http:// or https://")
    if not _VISIBLE.fullmatch(text) or not _has_host(text):
        raise Refused(400, f"invalid destination url: cannot parse {text!a}")
    return text


def split_query(query: str) -> tuple[str, list[tuple[str, str]]]:
    """A raw query string as what belongs to the destination, byte for byte, and what was meant for this API.

    Meant for this API are `qstash_token` and `upstash-*`; their values are decoded.
    """
    theirs: list[str] = []
    ours: list[tuple[str, str]] = []
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        if _is_ours(unquote_plus(name).lower()):
            ours.append((unquote_plus(name), unquote_plus(value)))
        else:
            theirs.append(parameter)
    return "&".join(theirs), ours


def _is_ours(name: str) -> bool:
    return name == "qstash_token" or name.startswith("upstash-")


def _has_host(text: str) -> bool:
    try:
        url = URL(text, encoded=True)
        return bool(url.host) and url.port is not None
    except ValueError:
        return False
