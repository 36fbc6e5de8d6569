"""Settles a job whose message QStash has given up.

QStash calls this once a message's retries are exhausted or a 489 ended it (its Callbacks page). The callback is one
witness among several: it may be late or lost, so it only ever changes a job that still waits on that very message.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from shared import answers, database, executions, relay, reporting, requests, settings
from shared.answers import Answer
from shared.envelope import Envelope, scheduled_job_id
from shared.errors import DatabaseUnavailable, InvalidSignature, SecretUnavailable, UnknownJobType
from shared.failures import words
from shared.observability import count, forget, logger, remember
from shared.registry import get_job_config
from shared.requests import Request
from shared.rows import SettledJob
from shared.settings import DispatcherSettings, WorkerSettings
from shared.worker import verify

_LONGEST_BODY = 500  # characters of the response that QStash got

settings.check(WorkerSettings, DispatcherSettings)


class FailureCallback(BaseModel):
    """What of a failure callback's body decides anything."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")

    status: int | None = 0
    body: str | None = ""
    source_message_id: str
    source_body: str = ""
    schedule_id: str | None = None
    dlq_id: str | None = None
    retried: int | None = 0

    @property
    def reason(self) -> str:
        """The delivery's end in QStash's own words."""
        text = _decoded(self.body or "").decode("utf-8", "replace")[:_LONGEST_BODY]
        return f"QStash gave up after {(self.retried or 0) + 1} deliveries; the last got HTTP {self.status or 0}: {text}".rstrip(
            ": "
        )

    def envelope(self) -> Envelope:
        """The job that the message carried. Raises ValidationError."""
        return Envelope.model_validate_json(_decoded(self.source_body), extra="ignore")


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request to the function URL."""
    forget()
    remember(request_id=context.aws_request_id)
    request = requests.parse(event, WorkerSettings.load().endpoint_url)
    return _answer(request).to_event()


def _answer(request: Request) -> Answer:
    try:
        verify(request)
        callback = FailureCallback.model_validate_json(request.body)
        return _settle(callback, callback.envelope())
    except InvalidSignature as error:
        logger.warning("signature rejected", extra={"reason": str(error), "url": request.url})
        count({"SignatureRejected": 1}, "record-failure")
        return answers.unauthorized()
    except ValidationError as error:
        logger.error("this is no failure of a job", extra={"reason": str(error.errors(include_input=False))})
        return answers.dead_letter("the body is not the failure of a job")
    except (DatabaseUnavailable, SecretUnavailable) as error:
        logger.warning("not settled now", extra={"reason": str(error)})
        return answers.not_now("Postgres is unreachable")


def _settle(callback: FailureCallback, envelope: Envelope) -> Answer:
    job_id = envelope.job_id or scheduled_job_id(callback.source_message_id)
    if envelope.job_id is None:
        try:
            is_to_run = _insert_scheduled(callback, envelope, job_id)
        except (UnknownJobType, psycopg.DataError) as error:
            logger.error("the scheduled run cannot be recorded", extra={"reason": words(error)})
            return answers.dead_letter("the scheduled run cannot be recorded")
        if not is_to_run:
            logger.info("skipped: the schedule's last run is not over", extra={"job_id": str(job_id)})
            return answers.done(skipped=True)
    settled = database.run(
        lambda connection: executions.settle_failure(
            connection, job_id, envelope.publication, message=callback.reason, dlq_id=callback.dlq_id
        )
    )
    if settled is None:
        return answers.done(settled=False)
    reporting.settled(settled)
    _tell_caller(settled)
    return answers.done(settled=True)


def _insert_scheduled(callback: FailureCallback, envelope: Envelope, job_id: UUID) -> bool:
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
            schedule_id=callback.schedule_id,
            message_id=callback.source_message_id,
        )
    )


def _tell_caller(settled: SettledJob) -> None:
    if settled.status == "failed":
        relay.tell_failures(settled.job_id)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
