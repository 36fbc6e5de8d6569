"""The command line, its requests answered by the function in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from infra.cli.__main__ import main
from infra.cli.session import Session
from tests.integration.jobs_api.client import HOST, Client


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Answering(httpx.BaseTransport):
    """Hands requests to the function as its URL does. `before` is called with the number of each, and may raise."""

    def __init__(self) -> None:
        self.before: Callable[[int], None] = lambda _number: None
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(f"{request.method} {request.url.path}")
        self.before(len(self.asked))
        answer = Client().send(
            request.method,
            request.url.path,
            query=request.url.query.decode(),
            body=request.read(),
            headers=dict(request.headers),
        )
        return httpx.Response(answer.status, headers=answer.headers, content=answer.text.encode())


@dataclass
class CommandLine:
    """Runs commands with a key."""

    environment: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]
    transport: Answering = field(default_factory=Answering)

    def use(self, client: Client) -> None:
        self.environment.setenv("JOBS_API_URL", f"https://{HOST}/")
        self.environment.setenv("JOBS_API_KEY", client.key or "ph_none")

    def __call__(self, *arguments: object, sleep: Callable[[float], None] | None = None) -> Ran:
        session = Session(transport=self.transport, sleep=sleep or (lambda _seconds: None))
        self.transport.asked.clear()
        code = main([str(each) for each in arguments], session)
        shown = self.capsys.readouterr()
        return Ran(code, shown.out, shown.err)
