"""Sign in with a key, and out."""

from __future__ import annotations

import re
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import LambdaFunctionUrlRouter

from functions.jobs_api.access import sessions
from functions.jobs_api.access.actions import Action, end, note
from functions.jobs_api.access.callers import Caller, current, current_or_none
from functions.jobs_api.access.keys import find_key
from functions.jobs_api.access.limits import count_action, count_failed_attempt
from functions.jobs_api.access.requests import source_ip
from functions.jobs_api.pages.gate import form
from functions.jobs_api.rendering import html, redirect
from shared.observability import logger

router = LambdaFunctionUrlRouter()  # type: ignore[no-untyped-call]
# One of our own pages: never another site, whatever it begins with.
_NEXT = re.compile(
    r"(jobs|dead-letters|schedules|batches|activity|bulk)?(/[\w-]+)*(\?[\w.~%&=+:-]*)?", re.ASCII
)


@router.get("/sign-in", include_in_schema=False)
def get_sign_in() -> Response[Any]:
    """The form."""
    following = (router.current_event.query_string_parameters or {}).get("next", "")
    if current_or_none() is not None:
        return redirect(f"/{_safe(following)}")
    return html("sign_in.html", following=_safe(following), problem=None)


@router.post("/sign-in", include_in_schema=False)
def sign_in() -> Response[Any]:
    """Begin a session, if the key is one of ours."""
    event = router.current_event.raw_event
    given, following = form().get("key", "").strip(), _safe(form().get("next", ""))
    key = find_key(given)
    if key is None:
        count_failed_attempt(source_ip(event))
        logger.warning("a sign-in failed", extra={"source_ip": source_ip(event)})
        return html(
            "sign_in.html", status=401, following=following, problem="This key is none of ours, or no longer."
        )
    caller = Caller(key, "dashboard", source_ip(event))
    count_action(key.name)
    action_id = note(caller, "sign in")
    if earlier := sessions.token_in(event.get("cookies") or ()):
        sessions.end(earlier)
    token = sessions.begin(key)
    end(action_id, Action(), "done")
    return redirect(f"/{following}", sessions.cookie(token))


@router.post("/sign-out", include_in_schema=False)
def sign_out() -> Response[Any]:
    """End the session."""
    token = sessions.token_in(router.current_event.raw_event.get("cookies") or ())
    action_id = note(current(), "sign out")
    if token is not None:
        sessions.end(token)
    end(action_id, Action(), "done")
    return redirect("/sign-in", sessions.cookie("", 0))


def _safe(following: str) -> str:
    return following if _NEXT.fullmatch(following) else ""
