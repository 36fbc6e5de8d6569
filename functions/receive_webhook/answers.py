"""What a sender is answered. Any 2xx ends its part; after anything else most send again.

A refusal's words tell the sender nothing about our keys or names; its reason is for our log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.content_types import APPLICATION_JSON


class Refused(Exception):
    """The request is answered with a status of 4xx; `reason` is for our log, `error` for the sender."""

    def __init__(self, status: int, error: str, reason: str | None = None, **headers: str) -> None:
        self.status, self.error, self.reason = status, error, reason or error
        self.headers = {name.title(): value for name, value in headers.items()}
        super().__init__(self.reason)


def taken(**more: Any) -> Response[str]:
    """The event is recorded, or was before."""
    return answer(200, {"ok": True, **more})


def refused(refusal: Refused) -> Response[str]:
    """The sender's fault: sent again as it is, it will be refused again."""
    return answer(refusal.status, {"error": refusal.error}, refusal.headers)


def unauthorized() -> Response[str]:
    """The same for each of a signature's faults, and for a sender that nobody knows."""
    return answer(401, {"error": "unauthorized"})


def not_now() -> Response[str]:
    """Our fault: nothing is recorded, and the sender should try again."""
    return answer(503, {"error": "not now: send it again"})


def answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response[str]:
    """One HTTP response."""
    return Response(status, APPLICATION_JSON, json.dumps(body), headers=dict(headers or {}))
