"""GitHub: `X-Hub-Signature-256` over the body. Which event it is and its id stand in headers, which are not signed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from functions.receive_webhook import hmac_signature, json_body, keys
from functions.receive_webhook.answers import Refused
from functions.receive_webhook.events import LONGEST_ID, LONGEST_TYPE, Event, name_in, time_of
from functions.receive_webhook.incoming import Incoming
from functions.receive_webhook.json_body import Body
from shared.jobs.process_webhook import ProcessWebhook, WebhookSource

# Where an event says when it was.
_TIMES = {
    "push": ("repository", "pushed_at"),
    "pull_request": ("pull_request", "updated_at"),
    "release": ("release", "published_at"),
    "installation": ("installation", "updated_at"),
}
_PING = "ping"
_MOST_FIELDS = 10  # of a form; GitHub's has one


def read(request: Incoming) -> Event | None:
    """The event; None of a ping, which only asks whether we are here. Raises InvalidSignature, Refused or InvalidJob."""
    keys.current(
        lambda: hmac_signature.verify(
            request, keys.of("GITHUB_WEBHOOK_SECRETS"), header="x-hub-signature-256", prefix="sha256="
        )
    )
    body = _body(request)
    kind = name_in(request.headers, "x-github-event", LONGEST_TYPE)
    if kind == _PING:
        return None
    event_id = name_in(request.headers, "x-github-delivery", LONGEST_ID)
    at = _time(kind, body.data)
    job = ProcessWebhook(
        source=WebhookSource.GITHUB, event=kind, data=body.data, event_id=event_id, occurred_at=at
    )
    return Event(source="github", id=event_id, type=kind, body=body, occurred_at=at, job=job)


def _body(request: Incoming) -> Body:
    """The JSON, which may be the field of a form: the content type that GitHub proposes."""
    if not request.is_form:
        return json_body.read(request.body)
    try:
        fields = parse_qs(request.body.decode(), errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Refused(400, "the body is no form") from None
    if "payload" not in fields:
        raise Refused(400, "the form has no field payload")
    return json_body.parse(fields["payload"][0])


def _time(kind: str, data: dict[str, Any]) -> datetime | None:
    holder, field = _TIMES.get(kind, ("", ""))
    found = data.get(holder)
    return time_of(found.get(field)) if isinstance(found, dict) else None
