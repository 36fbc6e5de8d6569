"""Hands messages to QStash, asks whether it still holds one, and takes one back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from qstash.message import BatchRequest, prepare_batch_message_body

from shared.errors import PublishFailed, PublishRejected
from shared.publishing.client import NotFound, call, failing_as_publish_failed, sdk
from shared.publishing.messages import failure_message, job_message
from shared.rows import Receipt, UnpublishedJob, UntoldFailure
from shared.settings import DispatcherSettings


def publish(job: UnpublishedJob, settings: DispatcherSettings) -> Receipt:
    """Publish one job and return QStash's receipt.

    Raises PublishRejected where QStash refuses this very message (400), PublishFailed for everything else.
    """
    with failing_as_publish_failed(settings):
        message = job_message(job, settings)
        return Receipt(send(settings, message), message["url"])


def publish_batch(
    jobs: Sequence[UnpublishedJob], settings: DispatcherSettings
) -> list[Receipt | PublishRejected]:
    """Publish up to a hundred jobs in one call: for each its receipt, or why QStash refused that very message.

    Raises PublishFailed if QStash did not take the call as a whole.
    """
    with failing_as_publish_failed(settings):
        messages = [job_message(job, settings) for job in jobs]
        body = prepare_batch_message_body(cast("list[BatchRequest]", messages))
        # Not the SDK's own method: its parser cannot read the entry of a message that was refused.
        headers = {"Content-Type": "application/json"}
        answers = call(
            settings, lambda http: http.request(path="/v2/batch", method="POST", headers=headers, body=body)
        )
        if len(answers) != len(jobs):
            raise PublishFailed(f"QStash answered {len(answers)} of {len(jobs)} messages")
        return [_read_batch_answer(*each) for each in zip(messages, answers, strict=True)]


def _read_batch_answer(message: Mapping[str, Any], answer: Mapping[str, Any]) -> Receipt | PublishRejected:
    if "messageId" in answer:
        return Receipt(str(answer["messageId"]), message["url"])
    return PublishRejected(f"QStash refused the message: {answer.get('error', answer)}")


def publish_failure(failure: UntoldFailure, settings: DispatcherSettings) -> str:
    """Tell a caller's own failure callback that its job has failed. Raises as `publish` does."""
    message = failure_message(failure)
    with failing_as_publish_failed(settings):
        return send(settings, message)


def is_held(message_id: str, settings: DispatcherSettings) -> bool:
    """Whether QStash still holds a message, waiting or under way. Raises PublishFailed if it does not say."""
    with failing_as_publish_failed(settings):
        try:
            sdk(settings).message.get(message_id)
        except NotFound:
            return False
        return True


def withdraw(message_id: str, settings: DispatcherSettings) -> None:
    """Cancel a message. Raises PublishFailed, also if QStash no longer has it."""
    with failing_as_publish_failed(settings):
        sdk(settings).message.cancel(message_id)


def send(settings: DispatcherSettings, message: Mapping[str, Any]) -> str:
    """Hand over what the SDK takes for a message; its id. Raises what the SDK raises, or PublishFailed."""
    response = call(settings, lambda _http: sdk(settings).message.publish(**message))
    if isinstance(response, list):
        raise PublishFailed("the destination is not a URL")
    return str(response.message_id)
