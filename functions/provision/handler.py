"""CloudFormation's custom resources. It waits an hour for an answer that never comes: so one always does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from functions.provision.answer import NOT_MADE, Answer, deliver
from functions.provision.migrations import answer_migrations
from functions.provision.request import Request
from functions.provision.schedule import answer_schedule
from infra.schedules.declaration import schedule_id
from shared import secrets
from shared.alarm import Alarm
from shared.envelope import problems
from shared.errors import JobTimeout, SecretUnavailable
from shared.failures import words
from shared.observability import forget, logger, remember

_WAITS_FOR_IAM = (1.0, 2.0, 4.0, 8.0)  # seconds
_SECONDS_TO_ANSWER = 30.0  # of the function's time, also when the response URL fails at first
_RESOURCES: Mapping[str, Callable[[Request], Answer]] = {
    "Custom::Migrations": answer_migrations,
    "Custom::QStashSchedule": answer_schedule,
}


def handler(event: Mapping[str, Any], context: Any) -> dict[str, str]:
    """Do what is asked and tell CloudFormation how it went.

    Raises AnswerNotDelivered: Lambda then invokes it again for the same request, and twice does no harm.
    """
    url = str(event["ResponseURL"])
    forget()
    remember(request_id=context.aws_request_id, resource=event.get("LogicalResourceId"))
    secrets.refresh()  # a deployment may have moved a function
    seconds = context.get_remaining_time_in_millis() / 1000
    ends_at = time.monotonic() + seconds - 1
    answer = _in_time(event, seconds - _SECONDS_TO_ANSWER)
    logger.info("provisioned", extra={"status": answer.status, "reason": answer.reason})
    deliver(url, answer.to_json(event), ends_at)
    return {"status": answer.status, "reason": answer.reason}


def _in_time(event: Mapping[str, Any], seconds: float) -> Answer:
    alarm = Alarm(seconds)
    try:
        try:
            alarm.start()
            return _answer(event)
        finally:
            alarm.stop()
    except JobTimeout:
        return _failed(event, _timed_out(alarm))
    except Exception as error:  # noqa: BLE001  # whatever it is, CloudFormation must be told
        logger.exception("the resource could not be provisioned")
        return _failed(event, _timed_out(alarm) if alarm.rang else words(error))


def _timed_out(alarm: Alarm) -> str:
    return f"{alarm.message}: Postgres or QStash did not answer, or another holds a lock"


def _answer(event: Mapping[str, Any]) -> Answer:
    try:
        request = Request.model_validate(event)
    except ValidationError as error:
        found = "; ".join(f"{name}: {what}" for name, what in problems(error))
        return _failed(event, f"this is no request of CloudFormation's: {found}")
    if request.resource_type not in _RESOURCES:
        known = ", ".join(_RESOURCES)
        return _failed(event, f"there is no resource type {request.resource_type!r}; there are {known}")
    return _patiently(lambda: _RESOURCES[request.resource_type](request))


def _patiently(step: Callable[[], Answer]) -> Answer:
    """IAM needs some seconds until it lets a role that has just been made read its secrets."""
    for wait in _WAITS_FOR_IAM:
        try:
            return step()
        except SecretUnavailable as error:
            logger.warning("not readable yet", extra={"reason": str(error)})
            time.sleep(wait)
    return step()


def _failed(event: Mapping[str, Any], reason: str) -> Answer:
    """The failure, under the id that the resource has or would have had: a Delete of that id follows a failed Create."""
    logical_id = str(event.get("LogicalResourceId"))
    named = reason if reason.startswith(logical_id) else f"{logical_id}: {reason}"
    return Answer("FAILED", str(event.get("PhysicalResourceId") or _name(event, logical_id)), named)


def _name(event: Mapping[str, Any], logical_id: str) -> str:
    parts = str(event.get("StackId")).split("/")
    is_schedule = event.get("ResourceType") == "Custom::QStashSchedule"
    return schedule_id(parts[1], logical_id) if is_schedule and len(parts) > 1 else NOT_MADE
