"""QStash's failure callback: settles a job whose message QStash has given up, after its retries or a 489."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from shared import answers, reporting, requests, settings, settling
from shared.answers import Answer
from shared.errors import DatabaseUnavailable, InvalidSignature, SecretUnavailable
from shared.fault_points import FaultPoint, reach
from shared.observability import forget, logger, remember
from shared.requests import Request
from shared.settings import DispatcherSettings, WorkerSettings
from shared.settling import GivenUpMessage
from shared.worker import verify

settings.check(WorkerSettings, DispatcherSettings)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer one request to the function URL."""
    forget()
    remember(request_id=context.aws_request_id)
    request = requests.parse(event, WorkerSettings.load().endpoint_url)
    return _answer(request).to_event()


def _answer(request: Request) -> Answer:
    try:
        verify(request)
        reach(FaultPoint.CALLBACK_VERIFIED)
        message = GivenUpMessage.model_validate_json(request.body)
        outcome = settling.settle(message, message.envelope())
    except InvalidSignature as error:
        reporting.rejected(error, request.url, "record-failure")
        return answers.unauthorized()
    except ValidationError as error:
        logger.error("this is no failure of a job", extra={"reason": str(error.errors(include_input=False))})
        return answers.dead_letter("the body is not the failure of a job")
    except (DatabaseUnavailable, SecretUnavailable) as error:
        logger.warning("not settled now", extra={"reason": str(error)})
        return answers.not_now("Postgres is unreachable")
    match outcome:
        case "unreadable":
            return answers.dead_letter("the scheduled run cannot be recorded")
        case "skipped":
            return answers.done(skipped=True)
        case _:
            return answers.done(settled=outcome == "settled")
