"""Requests to the API. What it refuses for now is waited for, and said; what may have been done is never repeated."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from functions.jobs_api.shapes import Health
from infra.cli.refusals import refusal, unanswered, unreadable
from infra.cli.target import Target
from infra.loopback import is_this_machine

Shape = TypeVar("Shape", bound=BaseModel)
_TIMEOUT = httpx.Timeout(35.0, connect=5.0)  # the function has 30 s
# Seconds that are waited in all for an API that says when to come again.
_PATIENCE = {429: 180.0, 503: 15.0}


class Api:
    """The API at a target. Every method raises NotDone, in words for whoever typed the command."""

    def __init__(
        self,
        target: Target,
        say: Callable[[str], None],
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.target, self._say, self._sleep = target, say, sleep
        headers = {"User-Agent": "posthaste-cli", "Accept": "application/json"}
        if target.key is not None:
            headers["Authorization"] = f"Bearer {target.key}"
        proxied = not is_this_machine(urlsplit(target.url).hostname or "")
        self._client = httpx.Client(headers=headers, timeout=_TIMEOUT, transport=transport, trust_env=proxied)

    def get(self, path: str, shape: type[Shape], **query: Any) -> Shape:
        """Read something."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._read(self._send("GET", path, params=given), shape)

    def post(self, path: str, shape: type[Shape], body: Mapping[str, Any] | None = None) -> Shape:
        """Do something."""
        return self._read(self._send("POST", path, json=dict(body or {})), shape)

    def health(self) -> Health:
        """How the queue does, also where the answer is 503 because it does badly."""
        answer = self._send("GET", "/health")
        if answer.status_code == 503 and b'"health"' in answer.content:
            answer.status_code = 200
        return self._read(answer, Health)

    def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        waited = 0.0
        while True:
            try:
                answer = self._client.request(method, self.target.url + path, **content)
            except httpx.HTTPError as error:
                raise unanswered(error, method, self.target) from None
            wait = _wait(method, answer)
            if wait is None or waited + wait > _PATIENCE[answer.status_code]:
                return answer
            why = "too many requests" if answer.status_code == 429 else "it cannot answer now"
            self._say(f"{self.target.name}: {why}; asking again in {wait:.0f} s")
            self._sleep(wait)
            waited += wait

    def _read(self, answer: httpx.Response, shape: type[Shape]) -> Shape:
        if not answer.is_success:
            raise refusal(answer, self.target)
        try:
            return shape.model_validate_json(answer.content)
        except ValidationError as error:
            first = ".".join(map(str, error.errors()[0]["loc"])) or "it is no object"
        raise unreadable(answer, self.target, first)


def part(text: object) -> str:
    """Text as one part of a path, whatever it holds."""
    return quote(str(text), safe="")


def _wait(method: str, answer: httpx.Response) -> float | None:
    """Seconds to wait before asking again; None where it must not be asked again."""
    told = answer.headers.get("Retry-After", "")
    if not told.isdecimal():
        return None
    if answer.status_code == 429 or (answer.status_code == 503 and method == "GET"):
        return max(float(told), 1.0)
    return None
