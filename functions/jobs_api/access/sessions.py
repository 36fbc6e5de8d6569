"""Signed in to the dashboard: a random token in a cookie, and a row that knows its digest, whose key and until when.

Nothing is signed: what is looked up needs no signature, ends when somebody signs out, and cannot be made up by
whoever reads the secret. It is void when its key goes from API_KEYS.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable

from functions.jobs_api.access.keys import ApiKey, current_key
from functions.jobs_api.sql import statement
from shared import database

SECONDS = 8 * 3600
COOKIE = "__Host-posthaste"
_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")  # as those bytes are written


def begin(key: ApiKey) -> str:
    """Begin a session and return its token."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    values = {
        "token_digest": _digest(token),
        "key_name": key.name,
        "key_digest": key.digest,
        "seconds": SECONDS,
    }
    database.run(lambda kept: kept.execute(statement("remove_expired_sessions")))
    database.run(lambda kept: kept.execute(statement("insert_session"), values))
    return token


def find(token: str) -> ApiKey | None:
    """The key that signed in; None where the session has ended, or the key is gone."""
    values = {"token_digest": _digest(token)}
    row = database.run(lambda kept: kept.execute(statement("find_session"), values).fetchone())
    return None if row is None else current_key(row["key_name"], row["key_digest"])


def end(token: str) -> None:
    """Sign out."""
    values = {"token_digest": _digest(token)}
    database.run(lambda kept: kept.execute(statement("remove_session"), values))


def csrf_token(token: str) -> str:
    """What forms of this session carry: nobody who cannot read our pages knows it."""
    return hmac.new(token.encode(), b"form", hashlib.sha256).hexdigest()


def token_in(cookies: Iterable[str]) -> str | None:
    """The session's token among a request's cookies."""
    for cookie in cookies:
        name, _, value = cookie.strip().partition("=")
        if name == COOKIE and _TOKEN.fullmatch(value):
            return value
    return None


def cookie(token: str, seconds: int = SECONDS) -> str:
    """The Set-Cookie header that keeps a token, or with 0 seconds forgets it."""
    return f"{COOKIE}={token}; Max-Age={seconds}; Path=/; Secure; HttpOnly; SameSite=Strict"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
