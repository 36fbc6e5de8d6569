"""A request before anything is done with it: whether it can be read, and whose it is."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

from functions.jobs_api.access import sessions
from functions.jobs_api.access.callers import Caller
from functions.jobs_api.access.keys import find_key
from functions.jobs_api.access.limits import count_failed_attempt, count_read
from functions.jobs_api.errors import Refused

_DEEPEST = 100
_SCHEME = "bearer "


def readable(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event with its body as text that is JSON and can be stored. Raises Refused.

    What Postgres cannot hold is refused here, whatever field it lies in.
    """
    if method_of(event) not in {"POST", "PUT", "PATCH"}:
        return {**event, "body": None, "isBase64Encoded": False}
    content_type = header(event, "content-type").partition(";")[0].strip().lower()
    text = _text(event)
    if text.strip() and content_type != "application/json":
        raise Refused(415, "this takes Content-Type: application/json")
    check_json(text.strip() or "{}")
    headers = {**(event.get("headers") or {}), "content-type": "application/json"}
    return {**event, "headers": headers, "body": text.strip() or "{}", "isBase64Encoded": False}


def check_json(text: str) -> dict[str, Any]:
    """A JSON object that can be stored. Raises Refused, which says what is wrong."""
    value = _parsed(text)
    _check(value)
    return value


def caller_of_key(event: Mapping[str, Any], *, required: bool) -> Caller | None:
    """Whose key the request carries. Raises Refused for a wrong one, and for none where one is required."""
    given = header(event, "authorization")
    if not given and not required:
        return None
    if given[: len(_SCHEME)].lower() != _SCHEME:
        raise Refused(401, "this takes an API key: Authorization: Bearer ph_…")
    key = find_key(given[len(_SCHEME) :].strip())
    if key is None:
        count_failed_attempt(source_ip(event))
        raise Refused(401, "this API key is none of ours, or no longer")
    count_read(key.name)
    return Caller(key, "api", source_ip(event))


def caller_of_session(event: Mapping[str, Any]) -> Caller | None:
    """Who is signed in; None for nobody, or no longer."""
    token = sessions.token_in(event.get("cookies") or ())
    key = None if token is None else sessions.find(token)
    if key is None or token is None:
        return None
    count_read(key.name)
    return Caller(key, "dashboard", source_ip(event), sessions.csrf_token(token))


def method_of(event: Mapping[str, Any]) -> str:
    """Its HTTP method, in capitals."""
    return str(_http(event).get("method", "")).upper()


def path_of(event: Mapping[str, Any]) -> str:
    """Where it was sent."""
    return str(event.get("rawPath") or "/")


def source_ip(event: Mapping[str, Any]) -> str:
    """Where it came from, as Lambda saw it: no header decides it."""
    return str(_http(event).get("sourceIp", ""))


def header(event: Mapping[str, Any], name: str) -> str:
    """A header's value, "" without one."""
    headers = {str(each).lower(): str(value) for each, value in (event.get("headers") or {}).items()}
    return headers.get(name, "")


def _http(event: Mapping[str, Any]) -> Mapping[str, Any]:
    return (event.get("requestContext") or {}).get("http") or {}


def _text(event: Mapping[str, Any]) -> str:
    body = str(event.get("body") or "")
    if not event.get("isBase64Encoded"):
        return body
    try:
        return base64.b64decode(body, validate=True).decode()
    except (binascii.Error, ValueError):
        raise Refused(400, "the body is not UTF-8") from None


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise Refused(400, f"the body is nested more than {_DEEPEST} levels deep") from None
    except ValueError as error:
        raise Refused(400, f"the body is not JSON: {str(error)[:100]}") from None
    if not isinstance(value, dict):
        raise Refused(400, "the body must be a JSON object")
    return value


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _check(value: Any) -> None:
    """Refuse what Postgres cannot store, and what is nested without end."""
    waiting = [(value, 0)]
    while waiting:
        each, depth = waiting.pop()
        if depth > _DEEPEST:
            raise Refused(400, f"the body is nested more than {_DEEPEST} levels deep")
        match each:
            case dict():
                waiting += [(item, depth + 1) for item in (*each, *each.values())]
            case list():
                waiting += [(item, depth + 1) for item in each]
            case str() if "\x00" in each or any("\ud800" <= letter <= "\udfff" for letter in each):
                raise Refused(
                    400, "the body holds NUL or half of a surrogate pair: Postgres cannot store them"
                )
            case float() if not math.isfinite(each):
                raise Refused(400, "the body holds a number that is too large")
