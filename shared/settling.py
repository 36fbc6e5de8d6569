"""Settles jobs whose messages QStash has given up: told by its failure callback, or found among its dead letters.

Either is one witness among several, may be late or come twice, and only ever changes a job that still waits on that
very message.
"""

from __future__ import annotations

import base64
import binascii
import time
from typing import Literal
from uuid import UUID

import psycopg
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from shared import database, executions, publishing, relay, reporting
from shared.envelope import Envelope, scheduled_job_id
from shared.errors import PublishFailed, UnknownJobType
from shared.failures import words
from shared.fault_points import FaultPoint, reach
from shared.observability import logger
from shared.registry import get_job_config, is_sensitive
from shared.settings import DispatcherSettings

_LONGEST_BODY = 500  # characters of the response that QStash got
_MARK = "qstash-dead-letters"

Settled = Literal["settled", "unchanged", "skipped", "unreadable"]


class GivenUpMessage(BaseModel):
    """A message that QStash has given up, in the shape of its failure callback (its Callbacks page)."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="ignore")

    status: int | None = 0
    body: str | None = ""  # the last response's, base64
    source_message_id: str
    source_body: str = ""  # base64
    schedule_id: str | None = None
    dlq_id: str | None = None
    retried: int | None = None

    def reason(self, *, quoted: bool) -> str:
        """The delivery's end in QStash's own words; the response it got only if it may be `quoted`."""
        text = _decoded(self.body or "").decode("utf-8", "replace")[:_LONGEST_BODY] if quoted else ""
        after = "" if self.retried is None else f" after {self.retried + 1} deliveries"
        said = f"QStash gave up{after}; the last got HTTP {self.status or 0}: {text}"
        return said.rstrip(": ")

    def envelope(self) -> Envelope:
        """The job that the message carried. Raises ValidationError."""
        return Envelope.model_validate_json(_decoded(self.source_body), extra="ignore")


def settle(message: GivenUpMessage, envelope: Envelope) -> Settled:
    """Give the message's job back, or end it. Raises DatabaseUnavailable or SecretUnavailable."""
    job_id = envelope.job_id or scheduled_job_id(message.source_message_id)
    if envelope.job_id is None:
        try:
            is_to_run = _insert_scheduled(message, envelope, job_id)
        except (UnknownJobType, psycopg.DataError) as error:
            logger.error("the scheduled run cannot be recorded", extra={"reason": words(error)})
            return "unreadable"
        if not is_to_run:
            logger.info("skipped: the schedule's last run is not over", extra={"job_id": str(job_id)})
            return "skipped"
        reach(FaultPoint.LOST_RUN_INSERTED)
    # Older code may have answered with anything.
    reason = message.reason(quoted=not is_sensitive(envelope.type))
    settled = database.run(
        lambda connection: executions.settle_failure(
            connection, job_id, envelope.publication, message=reason, dlq_id=message.dlq_id
        )
    )
    if settled is None:
        return "unchanged"
    reach(FaultPoint.SETTLED)
    reporting.settled(settled)
    if settled.status == "failed":
        relay.tell_failures(settled.job_id)
    return "settled"


def settle_dead_letters(ends_at: float) -> int:
    """Settle what QStash's dead letters hold that no callback has told us of, from where the last sweep stopped.

    Until `ends_at` (of time.monotonic); how many jobs changed. Raises DatabaseUnavailable.
    """
    settings = DispatcherSettings.load()
    since = database.run(lambda connection: executions.find_mark(connection, _MARK))
    changed, cursor = 0, None
    while time.monotonic() < ends_at:
        try:
            page = publishing.dead_letters(since, cursor, settings)
        except PublishFailed as error:
            logger.warning("QStash's dead letters cannot be read", extra={"reason": str(error)})
            break
        changed += sum(_settle_found(GivenUpMessage(**found)) for found in page.messages)
        if page.messages:
            reach(FaultPoint.DEAD_LETTERS_SETTLED)
            _advance(page.messages[-1]["dlq_id"])
        cursor = page.cursor
        if cursor is None:
            break
    return changed


def _settle_found(message: GivenUpMessage) -> bool:
    try:
        return settle(message, message.envelope()) == "settled"
    except ValidationError:
        return False  # somebody else's message, or a callback's: its own message is among them too


def _advance(dlq_id: str) -> None:
    """Remember the time in an id like 1725323658779-0; an id of another form is read again by the next sweep."""
    milliseconds = dlq_id.partition("-")[0]
    if milliseconds.isdecimal():
        database.run(lambda connection: executions.advance_mark(connection, _MARK, int(milliseconds)))


def _insert_scheduled(message: GivenUpMessage, envelope: Envelope, job_id: UUID) -> bool:
    """Make the row of a scheduled run of which no delivery reached Postgres, as its worker would have made it.

    Settling it then gives it back. False where the schedule has it skipped.
    """
    retries = get_job_config(envelope.type).retries
    return database.run(
        lambda connection: executions.insert_scheduled(
            connection,
            job_id,
            envelope,
            retries=retries,
            schedule_id=message.schedule_id,
            message_id=message.source_message_id,
        )
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
