"""The JSON of messages, schedules, dead letters and events. Absent means absent: nothing is sent as null or empty."""

import base64

from ..records import Attempt, DeadLetter, Event, Message, Schedule, State, milliseconds
from .flow_limits import FlowLimits
from .headers import Headers, first
from .options import Callback, Options
from .redaction import hashed

Json = dict[str, object]

_SCHEDULE_STATES = {State.DELIVERED: "SUCCESS", State.FAILED: "FAIL", State.CANCELED: "FAIL"}


def message_json(message: Message) -> Json:
    """A message as `GET /v2/messages/{id}` shows it."""
    return _present(
        {
            "messageId": message.id,
            "url": message.url,
            "notBefore": milliseconds(message.not_before),
            **_request_json(message),
        }
    ) | {"maxRetries": message.options.max_retries}


def schedule_json(schedule: Schedule) -> Json:
    """A schedule as `GET /v2/schedules/{id}` shows it. Delay and timeout are in seconds, if they were asked for."""
    options = schedule.template.options
    timeout = options.timeout if first(options.given, "Upstash-Timeout") else None
    return _present(
        {
            "cron": schedule.cron.text,
            "destination": schedule.template.url,
            "delay": _whole(options.delay) or None,
            "timeout": None if timeout is None else _whole(timeout),
            "isPaused": schedule.paused,
            "lastScheduleTime": None if schedule.last_at is None else milliseconds(schedule.last_at),
            "nextScheduleTime": None if schedule.next_at is None else milliseconds(schedule.next_at),
            "lastScheduleStates": {
                message.id: _SCHEDULE_STATES.get(message.state, "IN_PROGRESS")
                for message in schedule.last_messages
            },
            "error": schedule.error,
            **_request_json(schedule.template),
        }
    ) | {"retries": options.max_retries}


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
    options = message.options
    return _present(
        {
            "time": event.time,
            "messageId": message.id,
            "state": event.state.value,
            "url": message.url,
            "method": options.method,
            "header": shown_headers(options),
            "body": hashed(message.body) if _hides_body(message) else base64.b64encode(message.body).decode(),
            "callbackHeaders": _callback_headers(options.callback),
            "failureCallbackHeaders": _callback_headers(options.failure_callback),
            "timeout": milliseconds(options.timeout),
            "retryDelayExpr": options.retry_delay,
            "nextDeliveryTime": None if event.next_delivery is None else milliseconds(event.next_delivery),
            **_response_json(event),
            **_options_json(message),
        }
    ) | {"maxRetries": message.options.max_retries}


def shown_headers(options: Options) -> Headers:
    """The headers that a message is delivered with, but for what its publisher wanted redacted."""
    return options.redaction.redact_headers(options.headers)


def _response_json(event: Event) -> Json:
    attempt: Attempt | None = event.attempt
    if attempt is None:
        return {}
    return {
        "error": None if attempt.succeeded else attempt.explanation,
        "responseStatus": attempt.status or None,
        "responseHeader": attempt.headers,
        "responseHeaders": attempt.headers,
        "responseBody": attempt.body.decode(errors="replace"),
    }


def _request_json(message: Message) -> Json:
    options = message.options
    return {
        "method": options.method,
        "header": shown_headers(options),
        **({"body": hashed(message.body)} if _hides_body(message) else _text_or_base64("body", message.body)),
        "callbackHeader": _callback_headers(options.callback),
        "failureCallbackHeader": _callback_headers(options.failure_callback),
        "createdAt": milliseconds(message.created_at),
        "callerIP": message.caller_ip,
        "retryDelayExpression": options.retry_delay,
        **_options_json(message),
    }


def _options_json(message: Message) -> Json:
    options = message.options
    return {
        "scheduleId": message.schedule_id,
        "topicName": message.topic,
        "endpointName": message.endpoint,
        "queueName": message.queue,
        "callback": options.callback.url if options.callback else None,
        "failureCallback": options.failure_callback.url if options.failure_callback else None,
        "label": options.labels[0] if options.labels else None,
        "labels": list(options.labels),
        **(_flow_json(options.flow) if options.flow else {}),
    }


def _flow_json(flow: FlowLimits) -> Json:
    period = _whole(flow.period)
    return {"flowControlKey": flow.key, "parallelism": flow.parallelism, "rate": flow.rate, "period": period}


def _whole(seconds: float) -> float:
    # Whole seconds where they are whole: the SDKs' types say integer.
    return int(seconds) if seconds.is_integer() else seconds


def _callback_headers(callback: Callback | None) -> Headers:
    return shown_headers(callback.options) if callback else {}


def _hides_body(message: Message) -> bool:
    return message.options.redaction.body and bool(message.body)


def _text_or_base64(name: str, data: bytes) -> Json:
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}Base64": base64.b64encode(data).decode()}


def _present(json: Json) -> Json:
    return {name: value for name, value in json.items() if value not in (None, "", [], {})}
