"""Signing keys and the JWT in `Upstash-Signature`."""

import base64
import hashlib
import hmac
import json
import secrets
import string
from dataclasses import dataclass

from ..ids import new_id

_LIFETIME = 300
_ALPHABET = string.ascii_letters + string.digits


@dataclass(slots=True)
class SigningKeys:
    """An account's keys: deliveries are signed with `current`, receivers accept `next` too."""

    current: str
    next: str

    def rotate(self) -> None:
        """Make the next key the current one and draw a new next."""
        self.current, self.next = self.next, _new_key()


def sign(key: str, *, url: str, body: bytes, now: float) -> str:
    """The signature of one delivery: an HS256 JWT that is valid for five minutes after the Unix time `now`."""
    second = int(now)
    claims = {
        "iss": "Upstash",
        "sub": url,
        "exp": second + _LIFETIME,
        # As the documentation's example has it; others were seen with 0, which forgives a clock behind.
        "nbf": second,
        "iat": second,
        "jti": new_id("jwt"),
        "body": base64.urlsafe_b64encode(hashlib.sha256(body).digest()).decode(),
    }
    signed = b".".join((_HEADER, _segment(claims)))
    digest = hmac.digest(key.encode(), signed, "sha256")
    return f"{signed.decode()}.{_unpadded(digest).decode()}"


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _segment(part: dict[str, object]) -> bytes:
    return _unpadded(_encode(part).encode())


def _unpadded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


_HEADER = _segment({"alg": "HS256", "typ": "JWT"})


def _new_key() -> str:
    return "sig_" + "".join(secrets.choice(_ALPHABET) for _ in range(28))
