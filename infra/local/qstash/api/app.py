"""The HTTP side: reads a request raw, finds who asks, and answers in JSON."""

import hmac
import json
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import ClientPayloadError, web
from aiohttp.typedefs import Handler as WebHandler

from infra.local.qstash.accounts import Account
from infra.local.qstash.api.calls import Call, Reply
from infra.local.qstash.api.routes import find_handler, takes_destination
from infra.local.qstash.delivery.faults import Faults
from infra.local.qstash.errors import Refused
from infra.local.qstash.wire.destinations import split_query
from infra.local.qstash.wire.headers import Headers, canonical, collect, first

LARGEST_BODY = 100 * 1024 * 1024


def make_app(accounts: Mapping[str, Account], faults: Faults) -> web.Application:
    """The web application for those accounts, by token."""

    async def answer(request: web.Request) -> web.Response:
        try:
            reply = _answer(request, await _read_body(request), accounts, faults)
        except Refused as refusal:
            reply = Reply(refusal.status, {"error": refusal.text})
        return _response(reply)

    # One route takes every path, because the framework's own matching would unescape and normalise.
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_plain_errors])
    app.router.add_route("*", "/{path:.*}", answer)
    return app


@web.middleware
async def _plain_errors(request: web.Request, handler: WebHandler) -> web.StreamResponse:
    """Say what the framework itself refuses in the API's form."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _response(Reply(error.status, {"error": error.reason}))


async def _read_body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except (web.RequestPayloadError, ClientPayloadError) as error:
        raise Refused(400, "the body could not be read") from error


def _answer(request: web.Request, body: bytes, accounts: Mapping[str, Account], faults: Faults) -> Reply:
    path, mark, query = request.raw_path.partition("?")
    rest, ours = split_query(query)
    headers = _merge(collect(request.headers.items()), ours)
    account = _authenticate(headers, ours, accounts)
    handler, argument = find_handler(request.method, path)
    if request.method == "POST" and path.startswith(("/v2/publish/", "/v2/batch")):
        _refuse_if_told(faults)
    if takes_destination(handler) and (rest or (mark and not ours)):
        argument = f"{argument}?{rest}"
    parameters = parse_qsl(rest, keep_blank_values=True)
    return handler(Call(account, argument, parameters, headers, body, request.remote or "127.0.0.1"))


def _merge(headers: Headers, ours: list[tuple[str, str]]) -> Headers:
    """The headers, with query parameters in place of those that are not there."""
    return {canonical(name): [value] for name, value in ours} | headers


def _authenticate(headers: Headers, ours: list[tuple[str, str]], accounts: Mapping[str, Account]) -> Account:
    scheme, _, token = (first(headers, "Authorization") or "").partition(" ")
    if scheme.lower() != "bearer":
        token = next((value for name, value in ours if name == "qstash_token"), "")
    for known, account in accounts.items():
        if hmac.compare_digest(known.encode(), token.strip().encode(errors="replace")):
            return account
    raise Refused(401, "unable to authenticate: invalid token")


def _refuse_if_told(faults: Faults) -> None:
    status = faults.next_refusal()
    if status is not None:
        raise Refused(status, "refused on purpose")


def _response(reply: Reply) -> web.Response:
    if reply.json is None:
        return web.Response(status=reply.status)
    return web.Response(
        status=reply.status, body=json.dumps(reply.json).encode(), content_type="application/json"
    )
