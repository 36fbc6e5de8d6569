"""What a callback tells: the attempt, and the message it was for."""

import base64
import json

from ..records import Attempt, DeadLetter, Message, milliseconds
from ..store import new_message_id
from ..wire.options import Callback


def callback_message(
    callback: Callback, source: Message, attempt: Attempt, now: float, letter: DeadLetter | None = None
) -> Message:
    """The message that reports `attempt`; with its dead letter, where it was the last one."""
    return Message(
        id=new_message_id(),
        url=callback.url,
        body=json.dumps(callback_body(source, attempt, letter)).encode(),
        options=callback.options,
        caller_ip=source.caller_ip,
        created_at=now,
        not_before=now,
        is_callback=True,
        place=source.place,
    )


def callback_body(source: Message, attempt: Attempt, letter: DeadLetter | None = None) -> dict[str, object]:
    """The JSON of a callback. Without a response, `status` is 0 and the body is the error's text."""
    body: dict[str, object] = {
        "status": attempt.status,
        "header": attempt.headers,
        "body": _base64(attempt.body or (attempt.error or "").encode()),
        "retried": source.retried,
        "maxRetries": source.options.max_retries,
        "sourceMessageId": source.id,
        "url": source.url,
        "method": source.options.method,
        "sourceHeader": source.options.headers,
        "sourceBody": _base64(source.body),
        "notBefore": str(milliseconds(source.not_before)),
        "createdAt": str(milliseconds(source.created_at)),
        "callerIP": source.caller_ip,
    }
    named = {
        "topicName": source.topic,
        "endpointName": source.endpoint,
        "queueName": source.queue,
        "scheduleId": source.schedule_id,
    }
    body |= {name: value for name, value in named.items() if value is not None}
    if letter is not None:
        body["dlqId"] = letter.dlq_id
    return body


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
