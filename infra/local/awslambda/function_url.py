"""Function URLs: an HTTP request as an event of payload format 2.0, and a function's answer as an HTTP response."""

import base64
import binascii
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

TEXT_TYPES = {"application/json", "application/xml", "application/javascript"}
TEXT_SUFFIXES = ("+json", "+xml")
# The server frames the body itself.
FRAMING_HEADERS = {"connection", "content-length", "keep-alive", "transfer-encoding"}


@dataclass(frozen=True)
class UrlRequest:
    """A request to a function's URL; `path` and `query` as they were sent, `headers` in the order they came."""

    function: str
    request_id: str
    trace_id: str
    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    host: str
    source_ip: str
    protocol: str = "HTTP/1.1"

    def event(self) -> dict[str, object]:
        """The event that the function gets."""
        headers = self._headers()
        event: dict[str, object] = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": self.path,
            "rawQueryString": self.query,
            "headers": headers,
            "requestContext": self._context(headers.get("user-agent", "")),
            "isBase64Encoded": False,
        }
        if cookies := self._cookies():
            event["cookies"] = cookies
        if self.query:
            event["queryStringParameters"] = _joined(parse_qsl(self.query, keep_blank_values=True))
        if self.body:
            event["body"], event["isBase64Encoded"] = _body(self.body, headers.get("content-type", ""))
        return event

    def _headers(self) -> dict[str, str]:
        sent = _joined((name.lower(), value) for name, value in self.headers if name.lower() != "cookie")
        # A caller cannot choose these at a function URL either.
        return sent | {
            "x-amzn-trace-id": self.trace_id.partition(";")[0],
            "x-forwarded-for": self.source_ip,
            "x-forwarded-port": self.host.partition(":")[2] or "80",
            "x-forwarded-proto": "http",
        }

    def _cookies(self) -> list[str]:
        lines = [value for name, value in self.headers if name.lower() == "cookie"]
        return [cookie.strip() for line in lines for cookie in line.split(";") if cookie.strip()]

    def _context(self, user_agent: str) -> dict[str, object]:
        now = time.time()
        return {
            "accountId": "anonymous",
            "apiId": self.function,
            "domainName": self.host,
            "domainPrefix": self.function,
            "http": {
                "method": self.method,
                "path": unquote(self.path),
                "protocol": self.protocol,
                "sourceIp": self.source_ip,
                "userAgent": user_agent,
            },
            "requestId": self.request_id,
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        }


@dataclass(frozen=True)
class UrlResponse:
    """What the caller of a function URL gets."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = field(default=(("content-type", "application/json"),))


class MalformedResponse(ValueError):
    """A function answered what is no HTTP response."""


def unwrap(payload: bytes) -> UrlResponse:
    """Make a response of what a function returned.

    Without a `statusCode`, whatever JSON it is becomes the body of a 200, as Lambda infers. MalformedResponse for
    the rest that cannot be understood.
    """
    try:
        answer = json.loads(payload)
    except ValueError as error:
        raise MalformedResponse("not JSON") from error
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return UrlResponse(200, payload)
    return UrlResponse(_status(answer["statusCode"]), _answer_body(answer), tuple(_answer_headers(answer)))


def _status(value: object) -> int:
    status = int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else 0
    if not 200 <= status <= 599:
        raise MalformedResponse(f"statusCode {value!r}")
    return status


def _answer_body(answer: Mapping[str, object]) -> bytes:
    body = answer.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResponse(f"body is {type(body).__name__}, not a string")
    if not answer.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise MalformedResponse("body is no base64") from error


def _answer_headers(answer: Mapping[str, object]) -> list[tuple[str, str]]:
    headers, cookies = answer.get("headers") or {}, answer.get("cookies") or []
    if not isinstance(headers, dict) or not isinstance(cookies, list):
        raise MalformedResponse("headers or cookies")
    plain = [
        (name, _header_value(name, value))
        for name, value in headers.items()
        if name.lower() not in FRAMING_HEADERS
    ]
    if "content-type" not in {name.lower() for name, _ in plain}:
        plain.append(("content-type", "application/json"))
    return plain + [("set-cookie", _header_value("cookies", cookie)) for cookie in cookies]


def _header_value(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float) or "\n" in str(value) or "\r" in str(value):
        raise MalformedResponse(f"header {name}")
    return str(value)


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    if _is_text(content_type):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _is_text(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type.startswith("text/") or media_type in TEXT_TYPES or media_type.endswith(TEXT_SUFFIXES)
