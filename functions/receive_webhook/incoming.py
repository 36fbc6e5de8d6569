"""A request as it came in, within the limits that hold for every source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from functions.receive_webhook.answers import Refused
from shared import requests

# In bytes. Lambda takes 6 MB of JSON, in which a body may stand as base64: 4 MiB always fit.
LARGEST_BODY = 4 * 1024 * 1024
LARGEST_HEADERS = 16 * 1024
_LONGEST_USER_AGENT = 512
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request: lower-case header names, the exact bytes of the body, and who sent it."""

    headers: Mapping[str, str]
    body: bytes
    ip: IPv4Address | IPv6Address | None
    user_agent: str | None

    @property
    def is_form(self) -> bool:
        """Whether the body is a form's, as GitHub sends it where it is not told otherwise."""
        return _media_type(self.headers) == _FORM


def read(event: Mapping[str, Any], *, forms: bool = False) -> Incoming:
    """The request in a function URL's event. Raises Refused where it is beyond a limit, or no JSON by its own word.

    `forms` says whether the source may send forms too.
    """
    request = requests.parse(event)
    if sum(len(name) + len(value) for name, value in request.headers.items()) > LARGEST_HEADERS:
        raise Refused(431, f"the headers have more than {LARGEST_HEADERS} bytes")
    if len(request.body) > LARGEST_BODY:
        raise Refused(413, f"the body has more than {LARGEST_BODY} bytes")
    _require_json(request.headers, forms)
    return Incoming(request.headers, request.body, _ip(event), _user_agent(request.headers))


def _require_json(headers: Mapping[str, str], forms: bool) -> None:
    sent = _media_type(headers)
    is_json = sent == "application/json" or (sent.startswith("application/") and sent.endswith("+json"))
    if not is_json and not (forms and sent == _FORM):
        raise Refused(415, "the content type must be application/json", f"the content type is {sent!r}")


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _ip(event: Mapping[str, Any]) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(str(event["requestContext"]["http"]["sourceIp"]))
    except (KeyError, TypeError, ValueError):
        return None


def _user_agent(headers: Mapping[str, str]) -> str | None:
    """As Postgres can hold it."""
    sent = headers.get("user-agent", "")[:_LONGEST_USER_AGENT]
    return sent.encode("utf-8", "replace").decode().replace("\x00", "?") or None
