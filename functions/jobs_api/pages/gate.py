"""Who may see a page, and where others are sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote

from aws_lambda_powertools.event_handler import Response

from functions.jobs_api.access.actions import require_write
from functions.jobs_api.access.callers import Caller
from functions.jobs_api.access.forms import read_form, require_token
from functions.jobs_api.access.requests import caller_of_session, header, method_of, path_of
from functions.jobs_api.rendering import here, html, redirect

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
_LONGEST_NEXT = 1_500  # characters, of a header
_form: ContextVar[Mapping[str, str]] = ContextVar("form")


def is_open(path: str) -> bool:
    """Whether a path asks for no session."""
    return path == SIGN_IN or path.startswith("/assets/")


def let_in(event: Mapping[str, Any]) -> tuple[Caller | None, Response[Any] | None]:
    """Who is signed in; and an answer, where it is already known. Raises Refused for a form of another site."""
    path = path_of(event)
    here.set(path)
    caller = None if path.startswith("/assets/") else caller_of_session(event)
    if method_of(event) == "POST":
        form = read_form(event)
        if caller is not None and path != SIGN_IN:  # which is open, and may lie in a tab from before
            require_token(caller, form)
        if caller is not None and path not in {SIGN_IN, SIGN_OUT}:
            require_write(caller, event)
        _form.set(form)
    if caller is not None or is_open(path):
        return caller, None
    return None, _turned_away(event, path)


def form() -> Mapping[str, str]:
    """The fields of the form that is being answered."""
    return _form.get()


def _turned_away(event: Mapping[str, Any], path: str) -> Response[Any]:
    if header(event, "x-live"):
        return Response(401, "application/json", json.dumps({"error": "signed out"}))
    if header(event, "sec-fetch-site") == "cross-site" and header(event, "sec-fetch-mode") == "navigate":
        # A link on another site: the browser keeps our strict cookie back, and sends it when we link to ourselves.
        return html("again.html", status=200)
    query = str(event.get("rawQueryString") or "")
    wanted = path.lstrip("/") + (f"?{query}" if query else "") if method_of(event) == "GET" else ""
    following = f"?next={quote(wanted, safe='')}" if wanted else ""
    return redirect(SIGN_IN + (following if len(following) <= _LONGEST_NEXT else ""))
