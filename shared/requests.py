"""A function URL's event (payload format 2.0) as the request it was."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request: lower-case header names, the exact bytes of the body, the URL the sender used."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


def parse(event: Mapping[str, Any], endpoint_url: str | None = None) -> Request:
    """The request in a function URL's event.

    Its URL is the function's domain and path; `endpoint_url` stands for the domain where a CDN or a proxy hides it.
    """
    context = event.get("requestContext") or {}
    base = endpoint_url or f"https://{context.get('domainName', '')}"
    query = event.get("rawQueryString") or ""
    return Request(
        method=str((context.get("http") or {}).get("method", "")),
        url=base.rstrip("/") + (event.get("rawPath") or "/") + (f"?{query}" if query else ""),
        headers={str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()},
        body=_body(event),
    )


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode("utf-8", "replace")  # what is no text was not signed
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return b""  # no signature fits it
