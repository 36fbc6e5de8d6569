"""Senders of your own, each under a name. Nobody can tell by trying which names there are.

A name that nobody has costs the same work as a wrong signature: both ways of signing are gone through in any case, each
with as many keys.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence

from functions.receive_webhook import hmac_signature, json_body, keys, senders, standard_webhooks
from functions.receive_webhook.events import LONGEST_ID, LONGEST_TYPE, Event, name_in, time_of
from functions.receive_webhook.incoming import Incoming
from functions.receive_webhook.json_body import Body
from functions.receive_webhook.senders import Sender
from shared.errors import InvalidSignature
from shared.jobs.process_webhook import ProcessWebhook, WebhookSource

_NOBODYS = [base64.b64encode(os.urandom(24)).decode() for _each in range(keys.MOST)]
_NOBODY = Sender(secrets=_NOBODYS)


def read(request: Incoming, name: str) -> Event:
    """The event. Raises InvalidSignature, Refused or InvalidJob."""
    sender = keys.current(lambda: _verified(request, name))
    body = json_body.read(request.body)
    event_id = _id(request, sender, body)
    kind = sender.type or name_in(body.data, sender.type_field, LONGEST_TYPE)
    at = time_of(body.data.get(sender.time_field))
    job = ProcessWebhook(
        source=WebhookSource.CUSTOM,
        name=name,
        event=kind,
        data=body.data,
        event_id=event_id,
        occurred_at=at,
    )
    return Event(
        source="custom",
        name=name,
        id=event_id,
        type=kind,
        body=body,
        occurred_at=at,
        job=job,
        organization_id=sender.organization_id,
    )


def _verified(request: Incoming, name: str) -> Sender:
    sender = senders.find(name)
    asked = sender or _NOBODY
    by_scheme = {
        "standard": _refusal_by_standard(request, _padded(asked, "standard")),
        "hmac-sha256": _refusal_by_hmac(request, _padded(asked, "hmac-sha256"), asked),
    }
    if sender is None:
        raise InvalidSignature("CUSTOM_WEBHOOKS has no sender of this name that can be used")
    if (refusal := by_scheme[sender.scheme]) is not None:
        raise refusal
    return sender


def _padded(sender: Sender, scheme: str) -> Sequence[str]:
    """As many keys as anybody can have: the sender's own where this is how it signs."""
    return [*(sender.secrets if sender.scheme == scheme else []), *_NOBODYS][: keys.MOST]


def _refusal_by_standard(request: Incoming, given: Sequence[str]) -> InvalidSignature | None:
    try:
        standard_webhooks.verify(request, given)
    except InvalidSignature as error:
        return error
    return None


def _refusal_by_hmac(request: Incoming, given: Sequence[str], sender: Sender) -> InvalidSignature | None:
    try:
        hmac_signature.verify(
            request, given, header=sender.header, prefix=sender.prefix, encoding=sender.encoding
        )
    except InvalidSignature as error:
        return error
    return None


def _id(request: Incoming, sender: Sender, body: Body) -> str:
    if sender.scheme == "standard":
        return name_in(request.headers, "webhook-id", LONGEST_ID)
    if sender.id_field is not None:
        return name_in(body.data, sender.id_field, LONGEST_ID)
    return f"sha256:{hashlib.sha256(request.body).hexdigest()}"
