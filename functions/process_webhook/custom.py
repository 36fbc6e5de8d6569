"""Events of your own senders: each is handled by the function registered under its name, in the job's transaction.

    @on("invoice.imported")
    def log_import(connection: Connection, job: Job[ProcessWebhook]) -> Processed:
        connection.execute(…)
        return Processed(then=[SendEmail(…)])

What a handler writes commits together with the event's row, once for each event id. It raises InvalidEvent where the
event can never be applied; any other exception means another attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg.types.json import Jsonb

from shared.database import Connection
from shared.jobs.process_webhook import ProcessWebhook
from shared.webhook_events import Ignored, InvalidEvent, Processed
from shared.worker import Job

Handler = Callable[[Connection, Job[ProcessWebhook]], Processed | Ignored]
_HANDLERS: dict[str, Handler] = {}

_LOG_IMPORT = b"""
INSERT INTO app.activity_logs (organization_id, action, subject_type, subject_id, source, data, occurred_at)
SELECT id, 'invoice.imported', 'invoice', %(number)s, %(source)s, %(data)s, %(occurred_at)s
FROM app.organizations WHERE id = %(organization_id)s
"""


def on(event: str) -> Callable[[Handler], Handler]:
    """Register a function for the custom events of this name. Raises ValueError where there is one already."""
    if event in _HANDLERS:
        raise ValueError(f"{event!r} has a handler already: {_HANDLERS[event].__name__}")

    def register(handler: Handler) -> Handler:
        _HANDLERS[event] = handler
        return handler

    return register


def apply_custom_event(connection: Connection, job: Job[ProcessWebhook]) -> Processed | Ignored:
    """Call the event's handler, if it has one."""
    handler = _HANDLERS.get(job.payload.event)
    if handler is None:
        return Ignored(f"no handler is registered for {job.payload.event}")
    return handler(connection, job)


def content_of(job: Job[ProcessWebhook]) -> dict[str, Any]:
    """What the event is about: `data` of a body after the Standard Webhooks specification, else all of the body."""
    data = job.payload.data.get("data")
    return data if isinstance(data, dict) else job.payload.data


@on("invoice.imported")
def log_import(connection: Connection, job: Job[ProcessWebhook]) -> Processed | Ignored:
    """An example: an accounting system has taken over an invoice, which becomes activity of the job's organization."""
    invoice = content_of(job)
    number = invoice.get("number")
    if not isinstance(number, str) or not number:
        raise InvalidEvent("number: an imported invoice has one, as text")
    values = {
        "organization_id": job.organization_id,
        "number": number,
        "source": job.payload.sender,
        "data": Jsonb(invoice),
        "occurred_at": job.payload.occurred_at or job.created_at,
    }
    logged = connection.execute(_LOG_IMPORT, values).rowcount == 1
    return (
        Processed()
        if logged
        else Ignored("nobody knows whose invoice this is: its sender is set up without organization_id")
    )
