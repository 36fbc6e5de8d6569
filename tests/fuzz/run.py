"""Sends shots to the receiver: most to its handler in this process, some over HTTP to the real runtime client."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from itertools import islice
from typing import Any

import httpx

from tests.fuzz.judge import Judge
from tests.fuzz.shots import Gun, Shot
from tests.integration.delivering import Context
from tests.integration.webhooks.stage import Stage, event_of

_ENOUGH = 10  # violations

Answer = tuple[int, dict[str, Any]]


def fuzz(
    stage: Stage,
    *,
    seed: int,
    requests: int,
    over_http: int,
    progress: Callable[[int], object] = lambda _done: None,
) -> Judge:
    """So many shots, each so-many-th over HTTP; what came of them. The environment is the stage's."""
    handler = importlib.import_module("functions.receive_webhook.handler").handler
    judge = Judge(stage.connection)
    for number, shot in enumerate(islice(Gun(seed).shots(), requests)):
        answer = _over_http(stage, shot) if number % over_http == 0 else None
        judge.judge(shot, *answer or _directly(handler, shot))
        progress(number)
        if len(judge.violations) >= _ENOUGH:
            break
    judge.finish()
    return judge


def _directly(handler: Any, shot: Shot) -> Answer:
    try:
        answer = handler(event_of(shot.request, shot.method), Context())
    except Exception as error:  # what the runtime answers 502 for
        return 502, {"error": repr(error)}
    return answer["statusCode"], json.loads(answer["body"])


def _over_http(stage: Stage, shot: Shot) -> Answer | None:
    """None of what no client can send."""
    try:
        answer = stage.send(shot.request, method=shot.method)
    except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeEncodeError):
        return None
    try:
        return answer.status_code, answer.json()
    except ValueError:  # the server's own, before any function: HEAD, or a header that is none
        return answer.status_code, {}
