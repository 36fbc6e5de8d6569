"""The URLs that are open to the world, the dashboard's and the webhooks', must answer, and let nobody in unasked."""

from __future__ import annotations

from typing import Any

import httpx

from infra.deployment.doctor.of_endpoints import TIMEOUT, remedy
from infra.deployment.doctor.target import DASHBOARD, WEBHOOKS, Target
from infra.deployment.probes.wrong import Works, Wrong

_SECRETS_OF_SOURCES = {
    "STRIPE_WEBHOOK_SECRETS": "stripe",
    "RESEND_WEBHOOK_SECRETS": "resend",
    "GITHUB_WEBHOOK_SECRETS": "github",
    "CUSTOM_WEBHOOKS": "custom senders",
}
_NOBODY = "custom/nobody"  # refused in the same words whether or not there is such a sender


def check_dashboard(target: Target) -> Works:
    """The HTTP API must ask for a key, and tell how the queue does. Raises Wrong."""
    url = _url(target, DASHBOARD)
    _must_refuse(target, DASHBOARD, "GET", f"{url}v1/jobs", "a call without a key")
    answer = _call(target, "GET", f"{url}health")
    health = _health(answer)
    if answer.status_code not in {200, 503} or health is None:
        raise Wrong(f"{url}health answers {answer.status_code}", remedy(target, DASHBOARD, answer))
    unhealthy = [f"it reports the queue as {health} (docs/monitoring.md)"] if health != "healthy" else []
    locked = target.environment is not None and not target.entries.get("API_KEYS")
    return Works(
        f"{url} asks for a key; health is {health}", [*unhealthy, *([_no_key(target)] if locked else [])]
    )


def check_webhooks(target: Target) -> Works:
    """The receiver must refuse an event that nobody signed. Raises Wrong."""
    url = _url(target, WEBHOOKS)
    _must_refuse(target, WEBHOOKS, "POST", url + _NOBODY, "an unsigned event")
    if target.environment is None:
        return Works(f"{url} refuses an unsigned event")
    sources = [name for entry, name in _SECRETS_OF_SOURCES.items() if target.entries.get(entry)]
    return Works(f"{url} refuses an unsigned event; it has secrets of {', '.join(sources) or 'nobody yet'}")


def _url(target: Target, name: str) -> str:
    url = target.public.get(name)
    if not url:
        raise Wrong(f"no URL is known for {name}", f"{target.make('deploy')} makes it an output of the stack")
    return url


def _must_refuse(target: Target, name: str, method: str, url: str, what: str) -> None:
    answer = _call(target, method, url)
    if answer.status_code != 401:
        raise Wrong(f"{name} answers {answer.status_code} to {what}", remedy(target, name, answer))


def _call(target: Target, method: str, url: str) -> httpx.Response:
    try:
        return httpx.request(method, url, json={} if method == "POST" else None, timeout=TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Wrong(
            f"nothing answers at {url}: {str(error) or type(error).__name__}",
            f"check this machine's network, then {target.make('deploy')}",
        ) from None


def _health(answer: httpx.Response) -> str | None:
    try:
        found: Any = answer.json()["health"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(found)


def _no_key(target: Target) -> str:
    return (
        "nobody can sign in: `make api-key NAME=you RIGHTS=write` prints a key and its entry, "
        f"{target.make('secrets')} takes the entry"
    )
