"""Receives other systems' events: verify, record once, enqueue the job, answer. Nothing else happens before the answer.

Each source is loaded by its first request, so that an event of GitHub's does not pay for Stripe's SDK.
"""

# ruff: noqa: PLC0415  # see above
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError

from functions.receive_webhook import answers, incoming, recording
from functions.receive_webhook.answers import Refused
from functions.receive_webhook.events import Event
from functions.receive_webhook.incoming import Incoming
from functions.receive_webhook.recording import Outcome
from shared import settings
from shared.errors import DatabaseUnavailable, InvalidJob, InvalidSignature, SecretUnavailable
from shared.failures import words
from shared.observability import count, forget, logger, remember
from shared.settings import DispatcherSettings

_NAME = "receive-webhook"  # as metrics call it
_PATHS = re.compile(r"/(stripe|resend|github|custom/[^/]+)")
_METRICS = {
    Outcome.QUEUED: "WebhookReceived",
    Outcome.IGNORED: "WebhookIgnored",
    Outcome.DUPLICATE: "WebhookRepeated",
}

settings.check(DispatcherSettings)
app = LambdaFunctionUrlResolver(debug=False)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request to the function URL."""
    forget()
    remember(request_id=context.aws_request_id)
    return app.resolve(event, context)


@app.post("/stripe")
def receive_from_stripe() -> Response[str]:
    """Stripe's events, one endpoint or several."""
    from functions.receive_webhook import stripe

    return _receive("stripe", stripe.read)


@app.post("/resend")
def receive_from_resend() -> Response[str]:
    """What became of mails."""
    from functions.receive_webhook import resend

    return _receive("resend", resend.read)


@app.post("/github")
def receive_from_github() -> Response[str]:
    """Events of repositories, organizations and apps."""
    from functions.receive_webhook import github

    return _receive("github", github.read, forms=True)


@app.post("/custom/<name>")
def receive_from_a_sender(name: str) -> Response[str]:
    """Events of a sender of your own."""
    from functions.receive_webhook import custom

    return _receive("custom", lambda request: custom.read(request, name))


def _receive(source: str, read: Callable[[Incoming], Event | None], *, forms: bool = False) -> Response[str]:
    remember(source=source)
    request = incoming.read(app.current_event.raw_event, forms=forms)
    event = read(request)
    if event is None:
        return answers.taken(pong=True)
    remember(event_id=event.id, event_type=event.type, sender=event.name or None)
    outcome = recording.record(event, request)
    logger.info("received", extra={"outcome": outcome.value, "reason": event.ignored})
    count({_METRICS[outcome]: 1}, _NAME)
    return answers.taken(**{} if outcome is Outcome.QUEUED else {outcome.value: True})


# --- what goes wrong ----------------------------------------------------------------------------------------


def _answer_unknown(_error: NotFoundError) -> Response[str]:
    """404, or 405 for what can only be posted to."""
    if _PATHS.fullmatch(app.current_event.path):
        return _answer_refused(Refused(405, "events are sent with POST", allow="POST"))
    return _answer_refused(Refused(404, "there is nothing here"))


def _answer_refused(refusal: Refused) -> Response[str]:
    logger.warning("refused", extra={"status": refusal.status, "reason": refusal.reason})
    count({"WebhookRefused": 1}, _NAME)
    return answers.refused(refusal)


def _answer_invalid(error: InvalidJob) -> Response[str]:
    """It is signed and JSON, and yet no event of this source's."""
    return _answer_refused(Refused(400, "; ".join(f"{field}: {what}" for field, what in error.problems)))


def _answer_unsigned(error: InvalidSignature) -> Response[str]:
    """401, and the reason in our log only."""
    logger.warning("signature rejected", extra={"reason": str(error), "path": app.current_event.path[:200]})
    count({"WebhookUnsigned": 1}, _NAME)
    return answers.unauthorized()


def _answer_unstorable(error: psycopg.Error) -> Response[str]:
    """Postgres cannot hold it, and never will. It should have been refused before."""
    logger.error("Postgres refuses the event", extra={"reason": words(error)})
    return _answer_refused(Refused(400, "the event cannot be stored"))


def _answer_not_now(error: Exception) -> Response[str]:
    """Nothing is recorded: whoever sent it must send it again."""
    logger.error("not received", extra={"reason": words(error)})
    count({"WebhookNotReceived": 1}, _NAME)
    return answers.not_now()


app.exception_handler(NotFoundError)(_answer_unknown)
app.exception_handler(Refused)(_answer_refused)
app.exception_handler(InvalidJob)(_answer_invalid)
app.exception_handler(InvalidSignature)(_answer_unsigned)
app.exception_handler([psycopg.DataError, psycopg.IntegrityError])(_answer_unstorable)
app.exception_handler([DatabaseUnavailable, SecretUnavailable, psycopg.Error])(_answer_not_now)
