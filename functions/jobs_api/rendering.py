"""Templates to pages. All that is shown is escaped, and all links are relative: the pages may lie under any path."""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from functions.jobs_api.access.callers import current_or_none
from functions.jobs_api.errors import Refused
from functions.jobs_api.files import version
from functions.jobs_api.wording import ago, between, clock, compact, pretty, span, thousands

here: ContextVar[str] = ContextVar("here", default="/")
_HTML = "text/html; charset=utf-8"


def html(template: str, status: int = 200, **shown: Any) -> Response[Any]:
    """A page of this template."""
    text = _environment().get_template(template).render(me=current_or_none(), path=here.get(), **shown)
    return Response(status, _HTML, text)


def redirect(path: str, cookie: str | None = None) -> Response[Any]:
    """Go on at another page, by GET."""
    response: Response[Any] = Response(303, _HTML, "", headers={"Location": link(path)})
    if cookie is not None:
        response.headers["Set-Cookie"] = cookie
    return response


def refused_page(refused: Refused) -> Response[Any]:
    """A refusal as a page."""
    response = html("refused.html", status=refused.status, refused=refused)
    response.headers.update(refused.headers)
    return response


def link(path: str, **query: Any) -> str:
    """The way to a page from the one that is being answered."""
    up = "../" * (here.get().count("/") - 1) or "./"
    given = {name: value for name, value in query.items() if value not in {None, ""}}
    return up + path.lstrip("/") + (f"?{urlencode(given)}" if given else "")


def asset(name: str) -> str:
    """The way to a file of ours, kept by browsers as long as it is the same."""
    return link(f"/assets/{version()}/{name}")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals |= {"link": link, "between": between, "asset": asset}
    made.filters |= {
        "span": span,
        "ago": ago,
        "clock": clock,
        "pretty": pretty,
        "compact": compact,
        "thousands": thousands,
    }
    return made
