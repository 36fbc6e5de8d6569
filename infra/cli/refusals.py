"""What an answer that is none means: which exit code, and one sentence that says what was wrong and what to do."""

from __future__ import annotations

import json
from typing import Any

import httpx

from infra.cli.errors import Invalid, NotAllowed, NotDone, Unreachable
from infra.cli.target import Target

_LONGEST = 300  # characters of an answer that is not the API's
_NO_PATH = "there is nothing at this path"
_OTHER_VERSION = "it is of another version than this checkout: deploy, or check out what is deployed"


def refusal(answer: httpx.Response, target: Target) -> NotDone:  # noqa: PLR0911  # a table of statuses
    """What to tell of an answer that is no success."""
    said = _said(answer)
    words = _words(said, answer)
    match answer.status_code:
        case 401:
            return NotAllowed(f"{target.name} refuses the key: {words}. Set JOBS_API_KEY to one of its keys")
        case 403 if "error" in said:
            return NotAllowed(f"{target.name} does not allow it: {words}")
        case 404 if "error" in said and said["error"] != _NO_PATH:
            return NotDone(words)
        case 409:
            return NotDone(words)
        case 403 | 404 | 405:
            return Unreachable(
                f"{target.url} does not answer as a jobs API does ({words}), or {_OTHER_VERSION}"
            )
        case 429:
            return Unreachable(f"{words.rstrip('.')}. Try again later")
        case 301 | 302 | 303 | 307 | 308:
            return Unreachable(
                f"{target.url} leads elsewhere, and the key is not sent there: give the final URL"
            )
        case status if 400 <= status < 500:
            return Invalid(words, _problems(said))
        case 503 if "error" in said:
            return Unreachable(f"{target.name} cannot do it now: {words}")
        case status:
            return Unreachable(f"{target.name} failed ({status}): {words}")


def unreadable(answer: httpx.Response, target: Target, field: str) -> Unreachable:
    """What to tell of a success that is not in the API's shape."""
    if "json" not in answer.headers.get("content-type", ""):
        return Unreachable(f"{target.url} does not answer as a jobs API does: check the URL")
    return Unreachable(f"{target.name} answers what this command cannot read ({field}): {_OTHER_VERSION}")


def unanswered(error: httpx.HTTPError, method: str, target: Target) -> Unreachable:
    """What to tell where no answer came."""
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Unreachable(f"nobody answers at {target.url} ({reason}): {target.remedy}")
    perhaps = "" if method == "GET" else ". It may have been done all the same: look before you repeat it"
    return Unreachable(f"{target.name} broke off without an answer ({reason}){perhaps}")


def _said(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = json.loads(answer.content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _words(said: dict[str, Any], answer: httpx.Response) -> str:
    text = said.get("error") or said.get("Message") or said.get("message")
    if not isinstance(text, str):
        # Not by the charset that it names, which may be any of Python's codecs.
        shown = " ".join(answer.content.decode("utf-8", "replace").split())[:_LONGEST]
        text = ("" if said else shown) or answer.reason_phrase
    problems = "; ".join(f"{field}: {what}" for field, what in _problems(said))
    return f"{text}: {problems}" if problems and problems not in text else text


def _problems(said: dict[str, Any]) -> list[tuple[str, str]]:
    given = said.get("problems")
    listed = given if isinstance(given, list) else []
    return [(str(each.get("field")), str(each.get("message"))) for each in listed if isinstance(each, dict)]
