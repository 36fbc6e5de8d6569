"""`@job_worker`: makes a Lambda handler of a function that does one job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from shared import answers, reporting, requests, secrets, settings, signature
from shared.answers import Answer
from shared.delivery import Attempt
from shared.envelope import Delivery, Envelope, Payload
from shared.errors import InvalidSignature, SecretUnavailable
from shared.job import Job
from shared.observability import forget, logger, remember
from shared.registry import get_job_config
from shared.requests import Request
from shared.settings import Settings, WorkerSettings

__all__ = ["Job", "Worker", "job_worker"]

P = TypeVar("P", bound=Payload)
Handler = Callable[[Job[P]], Any]
_ANSWER_SECONDS = 3.0  # kept of Lambda's time to record a timeout and answer


def job_worker(
    payload: type[P], *, needs: Sequence[type[Settings]] = ()
) -> Callable[[Handler[P]], Worker[P]]:
    """Make a Lambda handler of a function that does one job of this payload's type.

    The function returns the job's result, or `Complete`, `Retry`, `Cancel` or `Fail`; an exception means another
    attempt while there are any. `needs` names the settings the function reads besides the worker's own. Raises
    MissingSettings at import, naming every variable that is missing.

        @job_worker(SendSms)
        def handler(job: Job[SendSms]) -> SmsSent:
            return provider.send(job.payload.to, job.payload.message, idempotency_key=str(job.id))
    """
    settings.check(WorkerSettings, *needs)

    def decorate(handler: Handler[P]) -> Worker[P]:
        return Worker(payload, handler)

    return decorate


class Worker(Generic[P]):
    """The Lambda handler of one job type, which Lambda calls with an event and a context.

    `worker.run` is the undecorated function, `worker.config` how the type is delivered and run.
    """

    def __init__(self, payload: type[P], run: Handler[P]) -> None:
        self.config = get_job_config(payload.job_type)
        self.payload, self.run = payload, run

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one request to the function URL."""
        forget()
        remember(job_type=self.config.type.value, request_id=context.aws_request_id)
        return self._answer(event, context).to_event()

    def deliver(self, delivery: Delivery, seconds: float) -> Answer:
        """Claim and run one job within `seconds`; the request has been verified, or there was none."""
        remember(job_id=str(delivery.job_id))
        return Attempt(delivery, self.config, self.payload, self.run, seconds).deliver()

    def _answer(self, event: Mapping[str, Any], context: Any) -> Answer:
        request = requests.parse(event, WorkerSettings.load().endpoint_url)
        try:
            verify(request)
        except InvalidSignature as error:
            reporting.rejected(error, request.url, self.config.type)
            return answers.unauthorized()
        except SecretUnavailable as error:
            logger.error("the signing keys cannot be read", extra={"reason": str(error)})
            return answers.not_now("the signing keys cannot be read")
        try:
            envelope = Envelope.model_validate_json(request.body, extra="ignore")
        except ValidationError as error:
            logger.error("this is no job", extra={"reason": str(error.errors(include_input=False))})
            return answers.dead_letter("the body is not a job's envelope")
        message_id = request.headers.get("upstash-message-id")
        if envelope.job_id is None and not message_id:
            return answers.dead_letter("neither a job id nor a message id came with it")
        delivery = Delivery(envelope, message_id, request.headers.get("upstash-schedule-id"))
        return self.deliver(delivery, context.get_remaining_time_in_millis() / 1000 - _ANSWER_SECONDS)


def verify(request: Request) -> None:
    """Raise InvalidSignature unless QStash signed this request, under the keys as they are now.

    Keys may have been rotated since they were read: on a mismatch they are read anew, at most once a minute.
    """
    token = request.headers.get("upstash-signature")
    try:
        signature.verify(token, body=request.body, url=request.url, keys=_keys())
    except InvalidSignature:
        if token is None or not secrets.refresh():
            raise
        signature.verify(token, body=request.body, url=request.url, keys=_keys())


def _keys() -> tuple[str, str]:
    return secrets.secret("QSTASH_CURRENT_SIGNING_KEY"), secrets.secret("QSTASH_NEXT_SIGNING_KEY")
