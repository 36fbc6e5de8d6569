"""Headers that every answer has: nothing is guessed, framed, sent on as referrer, or run that is not ours."""

from __future__ import annotations

from typing import Any

_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_ALWAYS = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Strict-Transport-Security": "max-age=63072000",
}


def secured(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with these headers; kept by nobody unless it says otherwise."""
    headers = {name: value for name, value in (answer.get("headers") or {}).items() if value is not None}
    if not {"cache-control"} & {name.lower() for name in headers}:
        headers["Cache-Control"] = "no-store"
    cookie = headers.pop("Set-Cookie", None)  # a function URL takes cookies apart from the headers
    return {**answer, "headers": headers | _ALWAYS, **({"cookies": [cookie]} if cookie else {})}
