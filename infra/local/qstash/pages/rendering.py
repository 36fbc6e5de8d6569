"""Templates to responses. Everything shown is someone else's text, so all of it is escaped."""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..accounts import Account
from ..api.control import Control
from .views import View

_TEMPLATES = Path(__file__).parent / "templates"
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def _clock_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _span(seconds: float) -> str:
    """A length of time as people say it, by its two largest units."""
    parts: list[str] = []
    rest = round(abs(seconds))
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        if rest >= size or (unit == "s" and not parts):
            parts.append(f"{rest // size} {unit}")
            rest %= size
    return " ".join(parts[:2])


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= {"clock_time": _clock_time, "iso": _iso, "span": _span}


def render(view: View, account: Account, control: Control, query: dict[str, str], path: str) -> web.Response:
    """A page."""
    nonce = secrets.token_urlsafe(16)
    kept = urlencode({name: value for name, value in query.items() if name != "notice"})
    text = _ENVIRONMENT.get_template(f"{view.template}.html").render(
        view.values,
        nonce=nonce,
        user=account.identity.name,
        users=[each.identity.name for each in control.accounts.values()],
        path=path,
        here=f"{path}?{kept}" if kept else path,
        now=control.clock(),
        ahead=control.clock.ahead,
        notice=query.get("notice", ""),
        letters=len(account.courier.store.dead_letters()),
        pending=len(account.courier.pending()),
    )
    return _response(text, "text/html", _POLICY.format(nonce=nonce), status=view.status)


def style_sheet() -> web.Response:
    """The style of all pages."""
    return _response((_TEMPLATES / "style.css").read_text("utf-8"), "text/css", "default-src 'none'")


def redirect(path: str) -> web.Response:
    """On to the page at a path."""
    return web.Response(status=303, headers={"Location": path})


def _response(text: str, content_type: str, policy: str, status: int = 200) -> web.Response:
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    # Halves of surrogate pairs, as bytes that are no text come in headers, cannot be sent.
    body = text.encode(errors="replace")
    return web.Response(status=status, body=body, content_type=content_type, charset="utf-8", headers=headers)
