"""The HTTP side: reads a request raw, finds who asks, and answers in JSON or with a page."""

import hmac
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import ClientPayloadError, web

from ..accounts import Account
from ..delivery.faults import Faults
from ..errors import Refused
from ..pages.answering import answer_page
from ..plans import LARGEST_REQUEST, LONGEST_LINE
from ..wire.destinations import split_query
from ..wire.headers import Headers, canonical, collect, first
from .calls import Call, Reply
from .control import Control, answer_control
from .origins import check_origin, check_website
from .routes import find_handler, takes_destination

LARGEST_BODY = LARGEST_REQUEST
_SECONDS_TO_ANSWER = 1.0  # what is under way at a stop
_PUBLISHING = ("/v2/publish/", "/v2/enqueue/", "/v2/batch")


def make_runner(control: Control) -> web.AppRunner:
    """The web application of a server, ready to be served."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return await _answer(request, await _read_body(request), control)
        except Refused as refusal:
            return _response(Reply(refusal.status, {"error": refusal.text}, refusal.headers))
        except web.HTTPException as error:  # the framework's own, as for a body that is too large
            return _response(Reply(error.status, {"error": error.reason}))

    # One route takes every path, because the framework's own matching would unescape and normalise.
    app = web.Application(client_max_size=LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", answer)
    # A body is passed on as it came, so it must not be unpacked here.
    return web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        shutdown_timeout=_SECONDS_TO_ANSWER,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )


async def _read_body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except (web.RequestPayloadError, ClientPayloadError, ConnectionResetError) as error:
        raise Refused(400, "the body could not be read") from error


async def _answer(request: web.Request, body: bytes, control: Control) -> web.StreamResponse:
    path, mark, query = request.raw_path.partition("?")
    if not path.startswith(("/v2/", "/control/")):
        check_origin(request, control.allowed_hosts)
        with control.written_or_taken_back():
            return answer_page(request.method, path, query, body, control)
    check_website(request, control.allowed_hosts)
    rest, ours = split_query(query)
    headers = _merge(collect(request.headers.items()), ours)
    account, reads_only = _authenticate(headers, ours, control.accounts)
    if reads_only and request.method != "GET":
        raise Refused(403, "a read-only token may only read: use the user's own token")
    parameters = parse_qsl(rest, keep_blank_values=True)
    if path.startswith("/control/"):
        reply = await answer_control(
            request.method, path, Call(account, path, parameters, headers, body, ""), control
        )
        control.commit()
        return _response(reply)
    handler, argument = find_handler(request.method, path)
    if request.method == "POST" and path.startswith(_PUBLISHING):
        _refuse_if_told(control.faults)
    if takes_destination(handler) and (rest or (mark and not ours)):
        argument = f"{argument}?{rest}"
    with control.written_or_taken_back():
        reply = handler(Call(account, argument, parameters, headers, body, request.remote or "127.0.0.1"))
    return _response(reply)


def _merge(headers: Headers, ours: list[tuple[str, str]]) -> Headers:
    """The headers, with `upstash-*` query parameters in place of those that are not there."""
    return {canonical(name): [value] for name, value in ours if name != "qstash_token"} | headers


def _authenticate(
    headers: Headers, ours: list[tuple[str, str]], accounts: Mapping[str, Account]
) -> tuple[Account, bool]:
    """The account of the token in the header, which it takes out, or else in the query; and whether it only reads."""
    scheme, _, token = (first(headers, "Authorization") or "").partition(" ")
    account = _find_account(token.strip(), accounts) if scheme.lower() == "bearer" else None
    if account is not None:
        headers.pop("Authorization")
        return account
    # A webhook's sender may have an Authorization header of its own, which is the destination's then.
    account = _find_account(next((value for name, value in ours if name == "qstash_token"), ""), accounts)
    if account is None:
        raise Refused(401, "unable to authenticate: invalid token")
    return account


def _find_account(token: str, accounts: Mapping[str, Account]) -> tuple[Account, bool] | None:
    given = token.encode(errors="replace")
    for known, account in accounts.items():
        if hmac.compare_digest(known.encode(), given):
            return account, False
        if hmac.compare_digest(account.read_only_token.encode(), given):
            return account, True
    return None


def _refuse_if_told(faults: Faults) -> None:
    status = faults.next_refusal()
    if status is not None:
        raise Refused(status, "refused on purpose")


def _response(reply: Reply) -> web.Response:
    if reply.json is None:
        return web.Response(status=reply.status, headers=reply.headers)
    return web.Response(
        status=reply.status,
        headers=reply.headers,
        body=json.dumps(reply.json).encode(),
        content_type="application/json",
    )
