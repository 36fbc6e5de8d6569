"""Templates to pages. All that is shown is escaped, and all links are relative: the pages may lie under any path."""

from __future__ import annotations

import json
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aws_lambda_powertools.event_handler import Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from functions.jobs_api.access.callers import current_or_none
from functions.jobs_api.errors import Refused
from functions.jobs_api.files import version

here: ContextVar[str] = ContextVar("here", default="/")
_HTML = "text/html; charset=utf-8"
_LONGEST_PRETTY = 512 * 1024  # characters
_SPANS = ((86_400 * 2, 86_400, "d"), (7_200, 3_600, "h"), (120, 60, "min"), (0, 1, "s"))


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


def span(seconds: float | None) -> str:
    """A span in words: 250 ms, 3.4 s, 5 min, 2 h."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    size, unit = next((size, unit) for least, size, unit in _SPANS if seconds >= least)
    return f"{seconds / size:.0f} {unit}"


def between(begin: datetime | None, end: datetime | None) -> str:
    """The span between two moments."""
    return "–" if begin is None or end is None else span(max((end - begin).total_seconds(), 0.0))


def ago(moment: datetime | None) -> str:
    """How long ago, or how far ahead."""
    if moment is None:
        return "–"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"{span(round(seconds))} ago" if seconds > 0 else f"in {span(round(-seconds))}"


def clock(moment: datetime | None) -> str:
    """The moment in UTC, to the second."""
    return "–" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def pretty(value: Any) -> str:
    """JSON as a person reads it. What is nested so deeply that it would be mostly blanks is left in one line."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_PRETTY else json.dumps(value, ensure_ascii=False, default=str)


def compact(value: Any) -> str:
    """A text as it is, and other values as JSON in one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def thousands(number: int) -> str:
    """1234567 as 1,234,567."""
    return f"{number:,}"


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
