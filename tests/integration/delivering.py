"""Deliveries as QStash makes them, signed by PyJWT: an implementation that is not ours."""

from __future__ import annotations

import base64
import hashlib
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

import jwt

from shared.envelope import Envelope, Metadata
from shared.rows import UnpublishedJob

CURRENT_KEY, NEXT_KEY = "sig_current_0123456789abcdefghij", "sig_next_0123456789abcdefghijklm"
URL = "https://abc123.lambda-url.eu-central-1.on.aws/"


@dataclass
class Context:
    """What of Lambda's context our handlers use."""

    seconds: float = 60.0
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"

    def __post_init__(self) -> None:
        self._ends_at = time.monotonic() + self.seconds

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends_at - time.monotonic()) * 1000)


def claims(raw: bytes, /, **changes: Any) -> dict[str, Any]:
    """The claims QStash makes; a change to None leaves one out."""
    now = int(time.time())
    digest = base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).decode()
    made = {
        "iss": "Upstash",
        "sub": URL,
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "jti": "jwt_1",
        "body": digest,
    }
    return {name: value for name, value in (made | changes).items() if value is not None}


def sign(raw: bytes, key: str = CURRENT_KEY, /, **changes: Any) -> str:
    """A signature as QStash makes it."""
    return jwt.encode(claims(raw, **changes), key, algorithm="HS256")


def event(
    body: bytes, token: str | None = None, *, encoded: bool = False, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """A function URL's event, payload format 2.0, signed unless a token is given ("" for none)."""
    token = sign(body) if token is None else token
    sent = {"content-type": "application/json", "upstash-message-id": f"msg_{uuid.uuid4().hex}"} | (
        headers or {}
    )
    if token:
        sent["upstash-signature"] = token
    return {
        "version": "2.0",
        "rawPath": "/",
        "rawQueryString": "",
        "headers": sent,
        "requestContext": {"domainName": URL.split("/")[2], "http": {"method": "POST", "path": "/"}},
        "body": base64.b64encode(body).decode() if encoded else body.decode(),
        "isBase64Encoded": encoded,
    }


def envelope(job: UnpublishedJob, **changes: Any) -> bytes:
    """The message that QStash holds for a job's current publication."""
    made = Envelope(
        job_id=job.job_id,
        publication=job.publication,
        type=job.job_type,
        payload=job.payload,
        metadata=Metadata(user_id=job.user_id, organization_id=job.organization_id),
    )
    return json.dumps(json.loads(made.to_wire()) | changes).encode()
