"""Which page is answered where, and how a click gets to what it does."""

from urllib.parse import parse_qsl, unquote, urlencode

from aiohttp import web

from ..accounts import Account
from ..api.control import Control
from ..errors import Refused
from . import views
from .actions import act
from .rendering import redirect, render, style_sheet

_LISTS = {
    "/": views.messages,
    "/dead-letters": views.dead_letters,
    "/schedules": views.schedules,
    "/queues": views.queues,
    "/flow-control": views.flow_control,
    "/url-groups": views.url_groups,
}


def answer_page(method: str, path: str, raw_query: str, body: bytes, control: Control) -> web.Response:
    """The page at a raw path. Raises Refused: 404 for an unknown path, 405 for a method it does not take."""
    query = dict(parse_qsl(raw_query))
    if path == "/style.css" and method == "GET":
        return style_sheet()
    account = _find_account(query.get("user", ""), control)
    if path.startswith("/actions/"):
        if method != "POST":
            raise Refused(405, "method not allowed")
        form = dict(parse_qsl(body.decode(errors="replace")))
        told = act(account, path.removeprefix("/actions/"), form)
        return redirect(_with_notice(form.get("back", "/"), told))
    view = _LISTS.get(path)
    if view is None and not path.startswith("/messages/"):
        raise Refused(404, "no such endpoint")
    if method not in ("GET", "HEAD"):
        raise Refused(405, "method not allowed")
    if view is not None:
        shown = view(account, query)
    else:
        shown = views.message(account, unquote(path.removeprefix("/messages/")), query)
    return render(shown, account, control, query, path)


def _find_account(name: str, control: Control) -> Account:
    accounts = list(control.accounts.values())
    return next((account for account in accounts if account.identity.name == name), accounts[0])


def _with_notice(back: str, told: str) -> str:
    # Only to a page of ours: `//host` would be another's.
    page, _, query = (back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/").partition(
        "?"
    )
    kept = [(name, value) for name, value in parse_qsl(query) if name != "notice"]
    return f"{page}?{urlencode([*kept, ('notice', told)])}"
