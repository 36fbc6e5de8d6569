"""Enqueue, cancel, and run again."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from functions.jobs_api.access.actions import recorded
from functions.jobs_api.access.callers import Caller
from functions.jobs_api.errors import Refused
from functions.jobs_api.reading.details import Owner, owner_of
from functions.jobs_api.shapes import EnqueueRequest
from shared import database, dispatcher, executions
from shared.envelope import Payload, problems
from shared.errors import InvalidJob
from shared.redaction import left_out, restored
from shared.registry import get_job_config, is_sensitive

_OPTIONS = {"type", "payload", "organization_id"}
_NOT_NOTED = {"payload", "headers", "callback", "failure_callback"}  # they may hold secrets


def enqueue(caller: Caller, asked: EnqueueRequest) -> UUID:
    """Accept a job. Raises as `dispatcher.enqueue` does, and Refused for what the caller may not."""
    organization_id = caller.scoped(asked.organization_id)
    with recorded(
        "enqueue", **asked.model_dump(mode="json", exclude=_NOT_NOTED, exclude_none=True)
    ) as action:
        _require_within(caller, asked.type)
        payload = payload_of(asked.type, asked.payload)
        options = asked.model_dump(by_alias=False, exclude=_OPTIONS, exclude_none=True)
        job_id = dispatcher.enqueue(payload, organization_id=organization_id, **options)
        action.target = str(job_id)
    return job_id


def cancel(caller: Caller, job_id: UUID, reason: str | None = None) -> None:
    """End a job that has not ended. Raises as `dispatcher.cancel` does."""
    owner_of(caller, job_id)
    with recorded("cancel", str(job_id), reason=reason):
        dispatcher.cancel(job_id, reason or f"cancelled by {caller.key.name}")


def retry(caller: Caller, job_id: UUID, edited: dict[str, Any] | None = None) -> None:
    """Run a failed or cancelled job again, with a corrected payload where one is given. Raises as `dispatcher.retry` does."""
    owner = owner_of(caller, job_id)
    with recorded("retry", str(job_id), corrected=edited is not None or None):
        payload = None if edited is None else _corrected(caller, job_id, owner, edited)
        dispatcher.retry(job_id, payload)


def payload_of(job_type: str, given: dict[str, Any]) -> Payload:
    """The payload as Python would make it. Raises InvalidJob with the same words."""
    model = get_job_config(job_type).payload
    if places := list(left_out(given)):
        raise InvalidJob(
            model.__name__,
            [(place, "stands for a value that is not shown: write the value") for place in places],
        )
    try:
        return model.model_validate_json(json.dumps(given))
    except ValidationError as error:
        found = problems(error, model)
    raise InvalidJob(model.__name__, found)  # out here, so that pydantic's error does not hang on it


def _corrected(caller: Caller, job_id: UUID, owner: Owner, edited: dict[str, Any]) -> Payload:
    """The corrected payload; what is still redacted in it is what the job has."""
    _require_within(caller, owner.job_type)
    if is_sensitive(owner.job_type):
        return payload_of(owner.job_type, edited)
    found = database.run(lambda kept: executions.find(kept, job_id))
    stored = {} if found is None else found.payload
    return payload_of(owner.job_type, restored(owner.job_type, edited, stored))


def _require_within(caller: Caller, job_type: str) -> None:
    """A key of one organization enqueues only what keeps to the job's organization, whatever the payload says."""
    if caller.organization_id is not None and not get_job_config(job_type).within_organization:
        raise Refused(
            403, f"{job_type} does not keep to one organization: it takes a key that is not bound to one"
        )
