"""What a publisher may ask for: the `Upstash-*` headers, parsed and checked."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from ..errors import QuotaExceeded, Refused, check_quota
from ..plans import LONGEST_TIMEOUT, Plan
from .destinations import check_destination
from .durations import parse_duration
from .expressions import check_expression
from .flow_limits import FlowLimits, parse_flow_limits
from .headers import Headers, canonical, first, may_travel, strip_prefix
from .redaction import Redaction, parse_redaction

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
DEFAULT_RETRIES = 3

# Callbacks of callbacks exist; without an end they would only be a way to exhaust the stack.
_DEEPEST_CALLBACK = 3
_DIGITS = re.compile(r"[0-9]{1,18}")
_TRUE = ("1", "t", "T", "TRUE", "true", "True")
_FALSE = ("0", "f", "F", "FALSE", "false", "False")

_Parsed = TypeVar("_Parsed")


@dataclass(frozen=True, slots=True)
class Callback:
    """Where to report to, and how."""

    url: str
    options: "Options"


@dataclass(frozen=True, slots=True)
class Options:
    """How one message is to be delivered. Times are in seconds, `not_before` in seconds since 1970."""

    method: str = "POST"
    headers: Headers = field(default_factory=dict)
    max_retries: int = DEFAULT_RETRIES
    retry_delay: str | None = None
    delay: float = 0.0
    not_before: float | None = None
    timeout: float = LONGEST_TIMEOUT
    deduplication_id: str | None = None
    content_based_deduplication: bool = False
    callback: Callback | None = None
    failure_callback: Callback | None = None
    flow: FlowLimits | None = None
    labels: tuple[str, ...] = ()
    redaction: Redaction = field(default_factory=Redaction)
    given: Headers = field(default_factory=dict)
    """The headers that this was parsed from, so that a replay can change some of them."""
    depth: int = 0
    """0 for a published message, 1 for its callback, 2 for the callback's."""


def parse_options(given: Headers, plan: Plan, *, depth: int = 0) -> Options:
    """The options in `given`, by canonical header name.

    Raises Refused (400) for a malformed value and QuotaExceeded for a forbidden one.
    """
    retries = _parse_retries(given, plan)
    return Options(
        method=_parse_method(given),
        headers=_delivered_headers(given),
        max_retries=retries,
        retry_delay=_read(given, "Upstash-Retry-Delay", _parse_expression),
        delay=_parse_delay(given, plan),
        not_before=_read(given, "Upstash-Not-Before", _parse_integer),
        timeout=min(_read(given, "Upstash-Timeout", _parse_timeout) or plan.max_timeout, plan.max_timeout),
        deduplication_id=_parse_deduplication_id(given),
        content_based_deduplication=_read(given, "Upstash-Content-Based-Deduplication", parse_bool) or False,
        callback=_parse_callback(given, "Upstash-Callback", plan, retries, depth),
        failure_callback=_parse_callback(given, "Upstash-Failure-Callback", plan, retries, depth),
        flow=_parse_flow(given),
        labels=_parse_labels(given),
        redaction=_parse_redaction(given),
        given=given,
        depth=depth,
    )


def parse_bool(text: str) -> bool:
    """A boolean as Go's ParseBool reads it. Raises ValueError for anything else."""
    if text not in _TRUE + _FALSE:
        raise ValueError(f"{text!r} is not a boolean")
    return text in _TRUE


def check_not_before(not_before: float, now: float, plan: Plan) -> None:
    """Raise QuotaExceeded if a message created at `now` would wait longer than the account allows."""
    check_quota("maxDelay", not_before - now, plan.max_delay)


def _read(given: Headers, name: str, parse: Callable[[str], _Parsed]) -> _Parsed | None:
    text = first(given, name)
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise Refused(400, f"invalid {name} header: {error}") from error


def _parse_integer(text: str) -> int:
    if not _DIGITS.fullmatch(text):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _parse_expression(text: str) -> str:
    check_expression(text)
    return text


def _parse_timeout(text: str) -> float:
    seconds = parse_duration(text)
    if seconds <= 0:
        raise ValueError("it must be positive")
    return seconds


def _parse_retries(given: Headers, plan: Plan) -> int:
    retries = _read(given, "Upstash-Retries", _parse_integer)
    limit = plan.max_retries
    if retries is None:
        return DEFAULT_RETRIES if limit is None else min(DEFAULT_RETRIES, limit)
    if limit is not None and retries > limit:
        raise QuotaExceeded("quota maxRetries exceeded")
    return retries


def _parse_method(given: Headers) -> str:
    method = (first(given, "Upstash-Method") or "POST").upper()
    if method not in METHODS:
        raise Refused(400, f"invalid Upstash-Method header: {method!a} is not one of {', '.join(METHODS)}")
    return method


def _parse_delay(given: Headers, plan: Plan) -> float:
    seconds = _read(given, "Upstash-Delay", parse_duration) or 0.0
    if first(given, "Upstash-Not-Before") is None:
        check_not_before(seconds, 0.0, plan)
    return seconds


def _parse_deduplication_id(given: Headers) -> str | None:
    text = first(given, "Upstash-Deduplication-Id")
    if text is not None and ":" in text:
        raise Refused(400, "DeduplicationId cannot contain ':'")
    return text


def _parse_flow(given: Headers) -> FlowLimits | None:
    key = first(given, "Upstash-Flow-Control-Key")
    if key is None:
        return None
    value = first(given, "Upstash-Flow-Control-Value") or ""
    try:
        return parse_flow_limits(key, value)
    except ValueError as error:
        raise Refused(400, f"invalid Upstash-Flow-Control-Value header: {error}") from error


def _parse_labels(given: Headers) -> tuple[str, ...]:
    text = ",".join(given.get("Upstash-Label", []))
    return tuple(label.strip() for label in text.split(",") if label.strip())


def _parse_redaction(given: Headers) -> Redaction:
    text = ",".join(given.get("Upstash-Redact-Fields", []))
    try:
        return parse_redaction(text)
    except ValueError as error:
        raise Refused(400, f"invalid Upstash-Redact-Fields header: {error}") from error


def _parse_callback(given: Headers, name: str, plan: Plan, retries: int, depth: int) -> Callback | None:
    url = first(given, name)
    if url is None:
        return None
    if depth == _DEEPEST_CALLBACK:
        raise Refused(400, f"invalid {name} header: callbacks are nested too deep")
    config = {f"Upstash-{rest}": values for rest, values in strip_prefix(given, f"{name}-").items()}
    if first(config, "Upstash-Delay") or first(config, "Upstash-Not-Before"):
        raise Refused(400, f"invalid {name}-Delay header: delayed callbacks are not supported")
    config["Content-Type"] = ["application/json"]
    config.setdefault("Upstash-Retries", [str(retries)])
    if given.get("Upstash-Redact-Fields"):
        # What a callback tells holds the message's body and headers.
        config["Upstash-Redact-Fields"] = [*given["Upstash-Redact-Fields"], "body"]
    options = parse_options(config, plan, depth=depth + 1)
    return Callback(check_destination(url), options)


def _delivered_headers(given: Headers) -> Headers:
    headers: Headers = {}
    if first(given, "Upstash-Header-Forward") in _TRUE:
        headers |= {name: values for name, values in given.items() if _travels_unprefixed(name)}
    if "Content-Type" in given:
        headers["Content-Type"] = given["Content-Type"]
    forwarded = strip_prefix(given, "Upstash-Forward-")
    headers |= {canonical(name): values for name, values in forwarded.items() if may_travel(name)}
    return headers


def _travels_unprefixed(name: str) -> bool:
    # What may be packed how is between this server and the destination.
    return may_travel(name) and not name.startswith("Upstash-") and name != "Accept-Encoding"
