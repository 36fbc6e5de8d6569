"""The one path to a platform: a feed posted, or a listing deleted, and the answer told apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import httpx

from functions.syndicate_listing.errors import PlatformRefused, PlatformUnavailable

_TIMEOUT = httpx.Timeout(15.0, connect=5.0)  # seconds; with the wait for one's turn well within the job's 60
_LONGEST_WORDS = 500  # characters of the platform's answer that are kept
_MAY_PASS = frozenset({408, 425, 429})
_GONE = frozenset({404, 410})


@dataclass(frozen=True, slots=True)
class Message:
    """One request to a platform. The key is the same for each attempt to say the same."""

    method: str
    url: str
    idempotency_key: str
    body: bytes = b""
    content_type: str | None = None
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    removes: bool = False


def send(message: Message) -> bytes:
    """What a platform answered to a request that it accepted. To remove what it does not have is done as well.

    Raises PlatformRefused where trying again is pointless and PlatformUnavailable where it is not.
    """
    answer = _ask(message)
    if answer.is_success or (message.removes and answer.status_code in _GONE):
        return answer.content
    words = f"HTTP {answer.status_code}: {_words(answer)}".rstrip(": ")
    if answer.status_code >= 500 or answer.status_code in _MAY_PASS:
        raise PlatformUnavailable(words, _retry_after(answer.headers.get("retry-after", "")))
    raise PlatformRefused(words, answer.status_code)


def _ask(message: Message) -> httpx.Response:
    headers = message.headers | {"Idempotency-Key": message.idempotency_key}
    if message.content_type is not None:
        headers["Content-Type"] = message.content_type
    try:
        return _client().request(message.method, message.url, content=message.body, headers=headers)
    except httpx.InvalidURL as error:
        raise PlatformRefused(f"its endpoint is no URL: {error}") from error
    except httpx.HTTPError as error:
        raise PlatformUnavailable(f"it cannot be reached: {str(error) or type(error).__name__}") from error


@cache
def _client() -> httpx.Client:
    """Made once, since reading the certificates takes long; no connection is kept, since a frozen Lambda's dies."""
    return httpx.Client(timeout=_TIMEOUT, limits=httpx.Limits(max_keepalive_connections=0))


def _words(answer: httpx.Response) -> str:
    """The answer in one line of bounded length; Postgres cannot store the NUL character."""
    text = answer.content[: 4 * _LONGEST_WORDS].decode("utf-8", "replace").replace("\x00", "")
    return " ".join(text.split())[:_LONGEST_WORDS]


def _retry_after(value: str) -> float | None:
    """Seconds until the platform wants to be asked again: its Retry-After, which is seconds or a date."""
    if value.isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at - datetime.now(UTC)).total_seconds()) if at.tzinfo else None
