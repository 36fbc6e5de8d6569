"""Records as JSON and back. Options are not written: they follow from the headers that they were parsed from."""

import base64
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from ..bulk_actions import BulkAction
from ..clock import Clock
from ..cron import parse_cron
from ..delivery.signing import SigningKeys
from ..flow import Gate
from ..journal import Kind
from ..plans import Plan
from ..queues import Queue
from ..records import Attempt, DeadLetter, Event, Message, Place, Schedule, State
from ..url_groups import Endpoint, UrlGroup
from ..wire.flow_limits import FlowLimits
from ..wire.options import parse_options

_NO_LIMITS = Plan(max_retries=None)


def encode(kind: Kind, record: Any) -> Any:
    """A record as JSON."""
    return _ENCODERS[kind](record)


def decode_message(data: Any) -> Message:
    """A message as it was accepted; its progress is a record of its own."""
    # What the plan of then made of them holds, whatever today's says.
    asked = parse_options(data["given"], _NO_LIMITS, depth=data["depth"])
    return Message(
        data["id"],
        data["url"],
        base64.b64decode(data["body"]),
        replace(asked, max_retries=data["retries"], timeout=data["timeout"]),
        data["callerIp"],
        data["createdAt"],
        data["notBefore"],
        is_callback=data["isCallback"],
        schedule_id=data["scheduleId"],
        topic=data["topic"],
        endpoint=data["endpoint"],
        queue=data["queue"],
        place=Place(*data["place"]) if data["place"] else None,
    )


def apply_progress(message: Message, data: Any) -> None:
    """Bring a message to where it was."""
    message.state = State(data["state"])
    message.retried, message.due = data["retried"], data["due"]
    message.finished_at, message.in_place = data["finishedAt"], data["inPlace"]


def decode_event(data: Any, message: Message) -> Event:
    """An event of that message."""
    attempt = None if data["attempt"] is None else _decode_attempt(data["attempt"])
    return Event((data["id"][0], data["id"][1]), message, State(data["state"]), attempt, data["nextDelivery"])


def decode_letter(data: Any) -> DeadLetter:
    """A dead letter, which holds its message whole."""
    message = decode_message(data["message"])
    apply_progress(message, data["progress"])
    return DeadLetter((data["id"][0], data["id"][1]), message, _decode_attempt(data["attempt"]))


def decode_schedule(data: Any, known: Callable[[str], Message | None]) -> Schedule:
    """A schedule, with those of its last messages that are still `known`."""
    found = [known(message_id) for message_id in data["lastMessages"]]
    return Schedule(
        parse_cron(data["cron"]),
        decode_message(data["template"]),
        data["nextAt"],
        data["lastAt"],
        tuple(message for message in found if message is not None),
        data["error"],
    )


def decode_queue(data: Any) -> Queue:
    """A queue in which nobody waits yet."""
    return Queue(**data)


def decode_group(data: Any) -> UrlGroup:
    """A URL group."""
    return UrlGroup(**data | {"endpoints": [Endpoint(**endpoint) for endpoint in data["endpoints"]]})


def decode_gate(data: Any) -> Gate:
    """A flow control key where nobody waits yet."""
    return Gate(**data | {"limits": FlowLimits(**data["limits"])})


def decode_keys(data: Any) -> SigningKeys:
    """Signing keys."""
    return SigningKeys(**data)


def decode_action(data: Any) -> BulkAction:
    """A bulk action."""
    return BulkAction(**data)


def _encode_message(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "url": message.url,
        "body": base64.b64encode(message.body).decode(),
        "given": message.options.given,
        "depth": message.options.depth,
        "retries": message.options.max_retries,
        "timeout": message.options.timeout,
        "callerIp": message.caller_ip,
        "createdAt": message.created_at,
        "notBefore": message.not_before,
        "isCallback": message.is_callback,
        "scheduleId": message.schedule_id,
        "topic": message.topic,
        "endpoint": message.endpoint,
        "queue": message.queue,
        "place": message.place,
    }


def _encode_progress(message: Message) -> dict[str, Any]:
    return {
        "state": message.state.value,
        "retried": message.retried,
        "due": message.due,
        "finishedAt": message.finished_at,
        "inPlace": message.in_place,
    }


def _encode_event(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "message": event.message.id,
        "state": event.state.value,
        "attempt": None if event.attempt is None else _encode_attempt(event.attempt),
        "nextDelivery": event.next_delivery,
    }


def _encode_letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "message": _encode_message(letter.message),
        "progress": _encode_progress(letter.message),
        "attempt": _encode_attempt(letter.attempt),
    }


def _encode_attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "status": attempt.status,
        "headers": attempt.headers,
        "body": base64.b64encode(attempt.body).decode(),
        "error": attempt.error,
        "sent": attempt.sent,
        "began": attempt.began,
        "seconds": attempt.seconds,
    }


def _decode_attempt(data: Any) -> Attempt:
    return Attempt(**data | {"body": base64.b64decode(data["body"])})


def _encode_schedule(schedule: Schedule) -> dict[str, Any]:
    return {
        "cron": schedule.cron.text,
        "template": _encode_message(schedule.template),
        "nextAt": schedule.next_at,
        "lastAt": schedule.last_at,
        "lastMessages": [message.id for message in schedule.last_messages],
        "error": schedule.error,
    }


def _encode_queue(queue: Queue) -> dict[str, Any]:
    return {
        "name": queue.name,
        "created_at": queue.created_at,
        "updated_at": queue.updated_at,
        "parallelism": queue.parallelism,
        "paused": queue.paused,
    }


def _encode_gate(gate: Gate) -> dict[str, Any]:
    return {
        "limits": asdict(gate.limits),
        "paused": gate.paused,
        "pinned_parallelism": gate.pinned_parallelism,
        "pinned_rate": gate.pinned_rate,
    }


def _encode_clock(clock: Clock) -> float:
    return clock.ahead


def _itself(record: Any) -> Any:
    return record


_ENCODERS: dict[Kind, Callable[[Any], Any]] = {
    "action": asdict,
    "clock": _encode_clock,
    "daily": _itself,
    "event": _encode_event,
    "gate": _encode_gate,
    "group": asdict,
    "key": _itself,
    "keys": asdict,
    "letter": _encode_letter,
    "message": _encode_message,
    "progress": _encode_progress,
    "queue": _encode_queue,
    "schedule": _encode_schedule,
}
