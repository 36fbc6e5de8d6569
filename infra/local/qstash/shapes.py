"""The JSON of messages, dead letters and events. Absent means absent: nothing is sent as null or empty."""

import base64

from infra.local.qstash.flow_limits import FlowLimits
from infra.local.qstash.headers import Headers
from infra.local.qstash.options import Callback
from infra.local.qstash.records import Attempt, DeadLetter, Event, Message, milliseconds

Json = dict[str, object]


def message_json(message: Message) -> Json:
    """A message as `GET /v2/messages/{id}` shows it."""
    return _present(
        {
            "messageId": message.id,
            "url": message.url,
            "method": message.options.method,
            "header": message.options.headers,
            **_text_or_base64("body", message.body),
            "callbackHeader": _callback_headers(message.options.callback),
            "failureCallbackHeader": _callback_headers(message.options.failure_callback),
            "notBefore": milliseconds(message.not_before),
            "createdAt": milliseconds(message.created_at),
            "callerIP": message.caller_ip,
            "retryDelayExpression": message.options.retry_delay,
            **_options_json(message),
        }
    ) | {"maxRetries": message.options.max_retries}


def dead_letter_json(letter: DeadLetter) -> Json:
    """A dead letter: the message and the last response, whose status is 0 if there was none."""
    attempt = letter.attempt
    response = _present(
        {
            "dlqId": letter.dlq_id,
            "responseHeader": attempt.headers,
            **_text_or_base64("responseBody", attempt.body or (attempt.error or "").encode()),
        }
    )
    return message_json(letter.message) | response | {"responseStatus": attempt.status}


def event_json(event: Event) -> Json:
    """A line of the log."""
    message = event.message
    return _present(
        {
            "time": event.time,
            "messageId": message.id,
            "state": event.state.value,
            "url": message.url,
            "method": message.options.method,
            "header": message.options.headers,
            "body": base64.b64encode(message.body).decode(),
            "callbackHeaders": _callback_headers(message.options.callback),
            "failureCallbackHeaders": _callback_headers(message.options.failure_callback),
            "timeout": milliseconds(message.options.timeout),
            "retryDelayExpr": message.options.retry_delay,
            "nextDeliveryTime": None if event.next_delivery is None else milliseconds(event.next_delivery),
            **_response_json(event),
            **_options_json(message),
        }
    ) | {"maxRetries": message.options.max_retries}


def _response_json(event: Event) -> Json:
    attempt: Attempt | None = event.attempt
    if attempt is None:
        return {}
    return {
        "error": None if attempt.succeeded else attempt.explanation,
        "responseStatus": attempt.status or None,
        "responseHeader": attempt.headers,
        "responseBody": attempt.body.decode(errors="replace"),
    }


def _options_json(message: Message) -> Json:
    options = message.options
    return {
        "callback": options.callback.url if options.callback else None,
        "failureCallback": options.failure_callback.url if options.failure_callback else None,
        "label": options.labels[0] if options.labels else None,
        "labels": list(options.labels),
        **(_flow_json(options.flow) if options.flow else {}),
    }


def _flow_json(flow: FlowLimits) -> Json:
    # Whole seconds where they are whole: the SDKs' types say integer.
    period = int(flow.period) if flow.period.is_integer() else flow.period
    return {"flowControlKey": flow.key, "parallelism": flow.parallelism, "rate": flow.rate, "period": period}


def _callback_headers(callback: Callback | None) -> Headers:
    return callback.options.headers if callback else {}


def _text_or_base64(name: str, data: bytes) -> Json:
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}Base64": base64.b64encode(data).decode()}


def _present(json: Json) -> Json:
    return {name: value for name, value in json.items() if value not in (None, "", [], {})}
