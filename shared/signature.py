"""Whether a request is from QStash, for this URL, with this body.

QStash signs with a JWT (HS256) in `Upstash-Signature`: `iss` Upstash, `sub` the destination URL, `exp`, `nbf`, and
`body`, the base64url SHA-256 of the raw body. Source: Upstash's "Verify signatures" page. Ours and not the SDK's
receiver, whose clock tolerance has no effect, whose errors are always the second key's, and which takes a message
signed for another endpoint where it is given no URL.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from typing import Any

from shared.errors import InvalidSignature, MissingSignature

CLOCK_TOLERANCE = 60.0  # seconds, either way
_ISSUER = "Upstash"
_LONGEST_TOKEN = 4096
_FAR_FUTURE = 1e11  # seconds; also refuses what is not a number at all


def verify(
    token: str | None,
    *,
    body: bytes,
    url: str,
    keys: Sequence[str],
    now: float | None = None,
    tolerance: float = CLOCK_TOLERANCE,
) -> None:
    """Return if one of `keys` signed `token` for this URL and body, valid now (unix seconds).

    Raises InvalidSignature with the true reason, which is for our log and never for the caller.
    """
    if not token:
        raise MissingSignature("the Upstash-Signature header is missing")
    signed, signature = _split(token)
    _require_hs256(signed)
    if not any(hmac.compare_digest(_mac(key, signed), signature) for key in keys if key):
        raise InvalidSignature("neither signing key made this signature")
    claims = _json_object(signed.partition(b".")[2], "claims")
    _require_time(claims, time.time() if now is None else now, tolerance)
    _require_subject(claims, url)
    _require_body(claims, body)


def _split(token: str) -> tuple[bytes, bytes]:
    parts = token.split(".")
    if len(token) > _LONGEST_TOKEN or len(parts) != 3 or not token.isascii():
        raise InvalidSignature("the signature is not a JWT")
    return f"{parts[0]}.{parts[1]}".encode(), _decode(parts[2].encode(), "signature")


def _require_hs256(signed: bytes) -> None:
    algorithm = _json_object(signed.partition(b".")[0], "header").get("alg")
    if algorithm != "HS256":
        raise InvalidSignature(f"the algorithm is {algorithm!r} and must be HS256")


def _mac(key: str, signed: bytes) -> bytes:
    return hmac.digest(key.encode(), signed, "sha256")


def _require_time(claims: dict[str, Any], now: float, tolerance: float) -> None:
    if claims.get("iss") != _ISSUER:
        raise InvalidSignature(f"the issuer is {claims.get('iss')!r} and must be {_ISSUER!r}")
    if _number(claims, "exp") + tolerance < now:
        raise InvalidSignature(f"it expired {now - claims['exp']:.0f} s ago")
    if _number(claims, "nbf") - tolerance > now:
        raise InvalidSignature(f"it becomes valid only in {claims['nbf'] - now:.0f} s")


def _number(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _FAR_FUTURE:
        raise InvalidSignature(f"claim {name} is missing or not a time")
    return value


def _require_subject(claims: dict[str, Any], url: str) -> None:
    subject = claims.get("sub")
    if not isinstance(subject, str) or subject.removesuffix("/") != url.removesuffix("/"):
        raise InvalidSignature(f"it was signed for {subject!r}, and this is {url!r}")


def _require_body(claims: dict[str, Any], body: bytes) -> None:
    claimed = claims.get("body")
    if not isinstance(claimed, str):
        raise InvalidSignature("claim body is missing")
    actual = base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=")
    if not hmac.compare_digest(claimed.rstrip("=").encode("utf-8", "replace"), actual):
        raise InvalidSignature("the body is not the one that was signed")


def _json_object(part: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(_decode(part, name))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidSignature(f"the JWT's {name} is not a JSON object")
    return value


def _decode(part: bytes, name: str) -> bytes:
    try:
        decoded = base64.b64decode(part + b"=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != part.rstrip(b"="):  # one spelling, no other
        raise InvalidSignature(f"the JWT's {name} is not base64url")
    return decoded
