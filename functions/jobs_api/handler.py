"""One function for the HTTP API under /v1, its health and its OpenAPI document, and the dashboard at /."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response

from functions.jobs_api.access.actions import require_write
from functions.jobs_api.access.callers import acting_as
from functions.jobs_api.access.requests import caller_of_key, method_of, path_of, readable
from functions.jobs_api.api.app import is_api, render
from functions.jobs_api.errors import Refused, refusal
from functions.jobs_api.headers import secured
from functions.jobs_api.pages.gate import let_in
from functions.jobs_api.routes import app
from shared import secrets, settings
from shared.observability import forget, logger, remember
from shared.settings import ApiSettings, PayloadKeySettings

settings.check(ApiSettings, PayloadKeySettings)

_OPEN = {"/health", "/openapi.json"}
_READING = {"GET", "OPTIONS"}


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request to the function URL."""
    forget()
    remember(request_id=context.aws_request_id)
    secrets.refresh()  # a key that was taken out must stop working
    is_head = method_of(event) == "HEAD"
    if is_head:  # as monitors ask for health
        event = _as_get(event)
    try:
        answer = _answer(event, context)
    except Exception as error:  # noqa: BLE001  # before there is a route
        answer = _refused(event, error)
    return secured(answer | {"body": ""} if is_head else answer)


def _as_get(event: Mapping[str, Any]) -> dict[str, Any]:
    context = event["requestContext"]
    return {**event, "requestContext": {**context, "http": {**context["http"], "method": "GET"}}}


def _answer(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    return _answer_api(event, context) if is_api(path_of(event)) else _answer_page(event, context)


def _answer_api(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    caller = caller_of_key(event, required=path_of(event) not in _OPEN)
    if method_of(event) not in _READING and caller is not None:
        require_write(caller, event)
    with acting_as(caller):
        return app.resolve(readable(event), context)


def _answer_page(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    caller, answer = let_in(event)
    if answer is not None:
        return _to_event(answer)
    with acting_as(caller):
        return app.resolve(event, context)


def _refused(event: Mapping[str, Any], error: Exception) -> dict[str, Any]:
    found = refusal(error)
    if found is None:
        logger.exception("not answered")
        found = Refused(500, "something went wrong here; the function's log says what")
    response = render(path_of(event), found)
    return _to_event(response)


def _to_event(response: Response[Any]) -> dict[str, Any]:
    return {"statusCode": response.status_code, "headers": _headers(response), "body": response.body}


def _headers(response: Response[Any]) -> dict[str, Any]:
    return {"Content-Type": response.content_type, **response.headers}
