"""The mailbox's pages. A mail is someone else's HTML: it is shown in a sandbox that can run nothing."""

from __future__ import annotations

import secrets
from pathlib import Path

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from infra.local.mailbox.mails import Mail

_TEMPLATES = Path(__file__).parent / "templates"
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data: https: http:"
)
_PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'nonce-{nonce}'; connect-src 'self'; "
    "frame-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def list_page(mails: list[Mail]) -> web.Response:
    """All mails, newest first."""
    return _page("list.html", mails=mails)


def mail_page(mail: Mail, *, view: str) -> web.Response:
    """One mail with its head, as HTML (on a wide screen or a phone's) or as text."""
    return _page("mail.html", mail=mail, view=view if view in ("html", "phone", "text") else "html")


def style_sheet() -> web.Response:
    """The style of all pages."""
    return _response((_TEMPLATES / "style.css").read_text("utf-8"), "text/css", policy="default-src 'none'")


def mail_html(mail: Mail) -> web.Response:
    """The mail's HTML exactly as it was sent."""
    return _response(mail.html, "text/html", policy=_MAIL_POLICY)


def mail_text(mail: Mail) -> web.Response:
    """The mail's text exactly as it was sent."""
    return _response(mail.text, "text/plain", policy=_MAIL_POLICY)


def _page(name: str, **context: object) -> web.Response:
    nonce = secrets.token_urlsafe(16)
    page = _ENVIRONMENT.get_template(name).render(context, nonce=nonce)
    return _response(page, "text/html", policy=_PAGE_POLICY.format(nonce=nonce))


def _response(text: str, content_type: str, *, policy: str) -> web.Response:
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return web.Response(text=text, content_type=content_type, charset="utf-8", headers=headers)
