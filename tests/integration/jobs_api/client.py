"""Requests to the function, as its URL makes events of them, and its answers, as the URL makes responses of those."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from functions.jobs_api.access.keys import PREFIX, digest_of
from infra.local.awslambda.function_url import UrlRequest, unwrap
from tests.integration.delivering import Context

HOST = "abc.lambda-url.eu-central-1.on.aws"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    text: str
    cookies: tuple[str, ...] = ()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Client:
    """Calls the API with a key."""

    key: str | None = None
    ip: str = "203.0.113.7"
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **query: Any) -> Answer:
        given = {name: value for name, value in query.items() if value is not None}
        return self.send("GET", path, query=urlencode(given, quote_via=quote))

    def post(self, path: str, body: Any = None) -> Answer:
        raw = b"" if body is None else json.dumps(body).encode()
        return self.send("POST", path, body=raw, headers={"Content-Type": "application/json"})

    def send(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent = {"User-Agent": "test", **self.headers, **(headers or {})}
        if self.key is not None:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        from functions.jobs_api.handler import handler  # its environment is checked when it is loaded

        request = UrlRequest(
            function="jobs-api",
            request_id="00000000-0000-0000-0000-000000000000",
            trace_id="Root=1-0-0",
            method=method,
            path=path,
            query=query,
            headers=tuple(sent.items()),
            body=body,
            host=HOST,
            source_ip=self.ip,
        )
        event = json.loads(json.dumps(request.event()))
        response = unwrap(json.dumps(handler(event, Context())).encode())
        cookies = tuple(value for name, value in response.headers if name == "set-cookie")
        named = {name.lower(): value for name, value in response.headers}
        return Answer(response.status, named, response.body.decode(), cookies)


def new_key(name: str, rights: str = "write", organization: int | None = None) -> tuple[str, str]:
    """A key and its entry."""
    key = PREFIX + secrets.token_urlsafe(32)
    return key, f"{name}:{rights}:{organization or '*'}:{digest_of(key)}"
