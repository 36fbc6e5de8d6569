"""Forms of our pages: sent from our own origin, by whoever is signed in and has the page before them."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from functions.jobs_api.access.callers import Caller
from functions.jobs_api.access.requests import header
from functions.jobs_api.errors import Refused

_MOST_FIELDS = 50
_FORM = "application/x-www-form-urlencoded"


def read_form(event: Mapping[str, Any]) -> dict[str, str]:
    """The fields of a form. Raises Refused for what is none, and for one that another site has sent."""
    _require_own_origin(event)
    if header(event, "content-type").partition(";")[0].strip().lower() != _FORM:
        raise Refused(415, "this takes a form")
    try:
        body = str(event.get("body") or "")
        text = base64.b64decode(body, validate=True).decode() if event.get("isBase64Encoded") else body
        fields = parse_qsl(
            text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict", separator="&"
        )
    except (binascii.Error, ValueError):
        raise Refused(400, "the form cannot be read") from None
    form = dict(fields)
    if any(
        "\x00" in each or any("\ud800" <= letter <= "\udfff" for letter in each) for each in form.values()
    ):
        raise Refused(400, "the form holds NUL or half of a surrogate pair: Postgres cannot store them")
    return form


def require_token(caller: Caller, form: Mapping[str, str]) -> None:
    """Raise Refused unless the form is one of the caller's own pages."""
    if not hmac.compare_digest(form.get("token", "").encode(), caller.csrf_token.encode()):
        raise Refused(403, "this form is no longer valid: load the page again")


def _require_own_origin(event: Mapping[str, Any]) -> None:
    """By what browsers say themselves and no page can change."""
    site = header(event, "sec-fetch-site")
    own = site == "same-origin" if site else urlsplit(header(event, "origin")).netloc == _own_host(event)
    if not own:
        raise Refused(403, "this was sent from another site")


def _own_host(event: Mapping[str, Any]) -> str:
    if url := os.environ.get("ENDPOINT_URL"):
        return urlsplit(url).netloc
    return str((event.get("requestContext") or {}).get("domainName", ""))
