"""The SDK's client, told not to wait: the outbox is what retries. Its errors and what they mean."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpx
from qstash import QStash
from qstash.http import HttpClient

from shared import secrets
from shared.errors import EndpointUnknown, PublishFailed, PublishRejected, SecretUnavailable
from shared.settings import DispatcherSettings

_TIMEOUT = httpx.Timeout(5.0, connect=2.0)  # seconds; the SDK's own read timeout is 600
_lock = threading.Lock()  # reconcile publishes from several threads
_clients: dict[tuple[str, str, int], QStash] = {}
transport: httpx.BaseTransport | None = None  # the network; a test may put something else in its place
_ends_at = ContextVar("_ends_at", default=math.inf)  # of time.monotonic


class NotFound(Exception):
    """QStash answered 404."""


def sdk(settings: DispatcherSettings) -> QStash:
    """The SDK's client of this process. Raises SecretUnavailable."""
    token, base_url = secrets.secret("QSTASH_TOKEN"), settings.qstash_url
    key = (token, base_url, os.getpid())  # a forked child must not speak on its parent's socket
    with _lock:
        if key not in _clients:
            client = QStash(token, retry=False, base_url=base_url)
            # The SDK has no setting for the timeout, and its errors carry no status: both are put in here.
            client.http._client.close()  # noqa: SLF001
            client.http._client = httpx.Client(  # noqa: SLF001
                transport=transport,
                timeout=_TIMEOUT,
                event_hooks={"request": [_cut_short], "response": [_raise_rejected]},
            )
            _clients[key] = client
        return _clients[key]


def call(settings: DispatcherSettings, ask: Callable[[HttpClient], Any]) -> Any:
    """Ask QStash, a second time where the first fell on a connection that had died."""
    try:
        return ask(sdk(settings).http)
    except (httpx.NetworkError, httpx.RemoteProtocolError):
        # A kept connection that died while the process was frozen; the deduplication ids make a repeat harmless.
        return ask(sdk(settings).http)


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """Give the calls of QStash in this block so long, all together: the last one is cut short. None: as long as it takes."""
    kept = _ends_at.set(math.inf if seconds is None else time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(kept)


def close() -> None:
    """Close the connections to QStash; the next publish opens others."""
    for client in _clients.values():
        client.http._client.close()  # noqa: SLF001  # the SDK has no close of its own
    _clients.clear()


@contextmanager
def failing_as_publish_failed(settings: DispatcherSettings) -> Iterator[None]:
    """Turn whatever goes wrong in the block into PublishFailed; PublishRejected stays."""
    try:
        yield
    except (PublishRejected, PublishFailed):
        raise
    except (EndpointUnknown, SecretUnavailable) as error:
        raise PublishFailed(str(error)) from error
    except Exception as error:  # the SDK's and httpx's errors share no base
        raise PublishFailed(
            f"QStash at {settings.qstash_url}: {str(error) or type(error).__name__}"
        ) from error


class _TimeLeft(dict[str, float]):
    """A request's time-outs by step (connect, write, read), each cut to what is left when it begins."""

    def get(self, step: str, default: Any = None) -> Any:
        """Seconds for this step; httpcore asks before each."""
        return max(min(super().get(step, default), _ends_at.get() - time.monotonic()), 0.001)


def _cut_short(request: httpx.Request) -> None:
    if _ends_at.get() < math.inf:
        request.extensions["timeout"] = _TimeLeft(request.extensions["timeout"])


def _raise_rejected(response: httpx.Response) -> None:
    if response.status_code == 404 and response.request.method == "GET":
        response.read()
        if "user not found" not in response.text:  # that is a token of another region
            raise NotFound
    if response.status_code == 400:
        response.read()
        if _is_qstashs(response):
            raise PublishRejected(f"QStash refused the message: {response.text}")


def _is_qstashs(response: httpx.Response) -> bool:
    """Whether a refusal is QStash's own, and not a proxy's on the way."""
    try:
        return "error" in response.json()
    except (ValueError, TypeError):
        return False
