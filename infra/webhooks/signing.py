"""Requests as each sender makes them. Where a body is given as bytes, it is sent as it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

Content = Mapping[str, Any] | bytes


@dataclass(frozen=True, slots=True)
class Request:
    """One request to the receiver: a path below its URL, headers and body."""

    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def as_stripe(event: Content, *secrets: str, at: float | None = None) -> Request:
    """Stripe's: a signature for each of the endpoint's secrets, of which there are two while one is being rolled."""
    body = _bytes(event, indent=2)
    sent = int(time.time() if at is None else at)
    signed = f"{sent}.".encode() + body
    signatures = "".join(f",v1={_hmac(secret.encode(), signed).hex()}" for secret in secrets)
    headers = {
        "content-type": "application/json; charset=utf-8",
        "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "accept": "*/*; q=0.5, application/xml",
        "cache-control": "no-cache",
        "stripe-signature": f"t={sent}{signatures},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39",
    }
    return Request("/stripe", body, headers)


def as_resend(
    event: Content, *secrets: str, message_id: str | None = None, at: float | None = None
) -> Request:
    """Resend's, which Svix sends."""
    body = _bytes(event)
    headers = _standard_headers("svix", body, secrets, message_id or f"msg_{uuid.uuid4().hex}", at)
    return Request(
        "/resend",
        body,
        headers | {"user-agent": "Svix-Webhooks/1.62.0 (sender-9YMgn; +https://www.svix.com/http-sender/)"},
    )


def as_github(
    event: str, payload: Content, secret: str, *, delivery: str | None = None, form: bool = False
) -> Request:
    """GitHub's, of this type; as a form where the webhook's content type was left as GitHub proposes it."""
    body = _bytes(payload)
    if form:
        body = urlencode({"payload": body.decode()}).encode()
    headers = {
        "content-type": "application/x-www-form-urlencoded" if form else "application/json",
        "user-agent": "GitHub-Hookshot/044aadd",
        "accept": "*/*",
        "x-github-delivery": delivery or str(uuid.uuid4()),
        "x-github-event": event,
        "x-github-hook-id": "292430182",
        "x-github-hook-installation-target-id": "79929171",
        "x-github-hook-installation-target-type": "repository",
        "x-hub-signature": f"sha1={hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()}",
        "x-hub-signature-256": f"sha256={_hmac(secret.encode(), body).hex()}",
    }
    return Request("/github", body, headers)


def as_sender(
    name: str, event: Content, *secrets: str, message_id: str | None = None, at: float | None = None
) -> Request:
    """A custom sender's, after the Standard Webhooks specification."""
    body = _bytes(event)
    headers = _standard_headers("webhook", body, secrets, message_id or f"msg_{uuid.uuid4().hex}", at)
    return Request(f"/custom/{name}", body, headers | {"user-agent": f"{name}/1.0"})


def as_plain_sender(
    name: str,
    event: Content,
    secret: str,
    *,
    header: str = "x-signature",
    prefix: str = "",
    encoding: str = "hex",
) -> Request:
    """A custom sender's that knows of nothing but an HMAC."""
    body = _bytes(event)
    digest = _hmac(secret.encode(), body)
    text = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()
    headers = {"content-type": "application/json", "user-agent": f"{name}/1.0", header.lower(): prefix + text}
    return Request(f"/custom/{name}", body, headers)


def _standard_headers(
    prefix: str, body: bytes, secrets: tuple[str, ...], message_id: str, at: float | None
) -> dict[str, str]:
    sent = str(int(time.time() if at is None else at))
    signed = f"{message_id}.{sent}.".encode() + body
    signatures = [
        "v1," + base64.b64encode(_hmac(base64.b64decode(each.removeprefix("whsec_")), signed)).decode()
        for each in secrets
    ]
    return {
        "content-type": "application/json",
        "accept": "*/*",
        f"{prefix}-id": message_id,
        f"{prefix}-timestamp": sent,
        f"{prefix}-signature": " ".join(signatures),
    }


def _hmac(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, signed, "sha256")


def _bytes(content: Content, indent: int | None = None) -> bytes:
    return content if isinstance(content, bytes) else json.dumps(content, indent=indent).encode()
