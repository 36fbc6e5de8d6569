"""The handler's run: from the row's payload to what came of it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from shared import sealing
from shared.delivery.state import State
from shared.envelope import problems
from shared.errors import JobTimeout, SecretUnavailable
from shared.failures import Failure
from shared.job import Job
from shared.outcomes import Complete, Fail, Outcome
from shared.rows import ClaimedJob


def run(state: State[Any], claimed: ClaimedJob) -> Outcome | Failure | SecretUnavailable:
    """Open and validate the payload and run the handler. Raises JobTimeout once the alarm has rung."""
    if claimed.job_type != state.config.type:
        return Fail(f"this worker runs {state.config.type} and the job is a {claimed.job_type}")
    try:
        opened = _open(state, claimed)
    except SecretUnavailable as error:
        return error
    try:
        # Tolerant, unlike enqueue: during a deploy a newer producer may send a field this code does not know.
        payload = state.payload.model_validate_json(opened, extra="ignore")
    except ValidationError as error:
        found = problems(error, state.payload)
        return Fail("invalid payload: " + "; ".join(f"{field}: {what}" for field, what in found))
    state.job = Job(claimed, payload, state.alarm.seconds_left)
    try:
        outcome = state.handler(state.job)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001  # whatever the handler raised is the job's to record
        if state.alarm.rang:  # perhaps wrapped: in a task group's exception, as a cause
            raise JobTimeout(state.alarm.message).with_traceback(error.__traceback__) from None
        return state.failure(error)
    if state.alarm.rang:  # and the handler swallowed it
        raise JobTimeout(state.alarm.message)
    return outcome if isinstance(outcome, Outcome) else Complete(outcome)


def _open(state: State[Any], claimed: ClaimedJob) -> str:
    """The payload's JSON. Raises SecretUnavailable, also where the result could not be sealed later."""
    if state.is_sensitive:
        sealing.check_keys()
    places = sealing.payload_of(claimed.job_id), sealing.payload_of_schedule(claimed.schedule_id)
    return sealing.unseal(claimed.payload, claimed.payload_key, *places)
