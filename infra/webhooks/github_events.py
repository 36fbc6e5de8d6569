"""GitHub's events of one repository and its owner's account."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_SITE, _API = "https://github.com/acme/website", "https://api.github.com/repos/acme/website"


def event(kind: str = "push", *, account_id: int = 90_000_001, **changes: Any) -> dict[str, Any]:
    """The payload of an event of this type, whose repository (or installation) is this account's. KeyError."""
    return _EVENTS[kind](account_id) | changes


def _account(account_id: int, login: str = "acme", kind: str = "Organization") -> dict[str, Any]:
    return {
        "login": login,
        "id": account_id,
        "node_id": "MDEyOk9yZ2FuaXphdGlvbjE=",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{account_id}?v=4",
        "url": f"https://api.github.com/users/{login}",
        "type": kind,
        "site_admin": False,
    }


def _sender() -> dict[str, Any]:
    return _account(583_231, "grace-hopper", "User")


def _repository(account_id: int) -> dict[str, Any]:
    return {
        "id": 1_296_269,
        "node_id": "MDEwOlJlcG9zaXRvcnkxMjk2MjY5",
        "name": "website",
        "full_name": "acme/website",
        "private": True,
        "owner": _account(account_id),
        "html_url": _SITE,
        "description": "Unsere Website – gemacht mit ♥ in Köln 🇩🇪",
        "default_branch": "main",
        "pushed_at": int(time.time()),
    }


def _push(account_id: int) -> dict[str, Any]:
    before, after = secrets.token_hex(20), secrets.token_hex(20)
    commit = {
        "id": after,
        "tree_id": secrets.token_hex(20),
        "distinct": True,
        "message": "Show the deposit on every listing\n\nCo-authored-by: 山田太郎 <taro@example.com>",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "url": f"{_SITE}/commit/{after}",
        "author": {"name": "Grace Hopper", "email": "grace@example.com", "username": "grace-hopper"},
        "committer": {"name": "GitHub", "email": "noreply@example.com", "username": "web-flow"},
        "added": [],
        "removed": [],
        "modified": ["listings/deposit.html"],
    }
    return {
        "ref": "refs/heads/main",
        "before": before,
        "after": after,
        "created": False,
        "deleted": False,
        "forced": False,
        "base_ref": None,
        "compare": f"{_SITE}/compare/{before[:12]}...{after[:12]}",
        "commits": [commit],
        "head_commit": commit,
        "repository": _repository(account_id),
        "pusher": {"name": "grace-hopper", "email": "grace@example.com"},
        "organization": _account(account_id),
        "sender": _sender(),
    }


def _pull_request(account_id: int) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "action": "closed",
        "number": 42,
        "pull_request": {
            "id": 279_147_437,
            "number": 42,
            "state": "closed",
            "title": "Show the deposit",
            "html_url": f"{_SITE}/pull/42",
            "user": _sender(),
            "created_at": now,
            "updated_at": now,
            "merged": True,
        },
        "repository": _repository(account_id),
        "organization": _account(account_id),
        "sender": _sender(),
    }


def _release(account_id: int) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "action": "published",
        "release": {
            "id": 17_372_790,
            "tag_name": "v1.4.0",
            "name": "Deposits",
            "html_url": f"{_SITE}/releases/tag/v1.4.0",
            "draft": False,
            "created_at": now,
            "published_at": now,
        },
        "repository": _repository(account_id),
        "sender": _sender(),
    }


def _installation(account_id: int) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {
        "action": "created",
        "installation": {
            "id": 4_711_001,
            "account": _account(account_id),
            "repository_selection": "selected",
            "app_id": 29_310,
            "events": ["push", "pull_request"],
            "created_at": now,
            "updated_at": now,
        },
        "repositories": [{"id": 1_296_269, "name": "website", "full_name": "acme/website", "private": True}],
        "sender": _sender(),
    }


def _ping(account_id: int) -> dict[str, Any]:
    return {
        "zen": "Keep it logically awesome.",
        "hook_id": 292_430_182,
        "hook": {
            "type": "Repository",
            "id": 292_430_182,
            "active": True,
            "events": ["push"],
            "url": f"{_API}/hooks/1",
        },
        "repository": _repository(account_id),
        "sender": _sender(),
    }


def _star(account_id: int) -> dict[str, Any]:
    return {
        "action": "created",
        "starred_at": "2026-01-01T00:00:00Z",
        "repository": _repository(account_id),
        "sender": _sender(),
    }


_EVENTS: dict[str, Callable[[int], dict[str, Any]]] = {
    "push": _push,
    "pull_request": _pull_request,
    "release": _release,
    "installation": _installation,
    "ping": _ping,
    "star": _star,
}
TYPES = tuple(_EVENTS)
