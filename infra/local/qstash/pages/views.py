"""What each page shows, as plain values for its template."""

from dataclasses import dataclass, field
from typing import Any

from ..accounts import Account
from ..records import Attempt, Event, Message, State
from ..wire.headers import Headers
from ..wire.redaction import hashed
from ..wire.shapes import shown_headers

_SHOWN = 100
_SHOWN_BODY = 20_000
_PENDING = (State.CREATED, State.ACTIVE, State.RETRY, State.ERROR)
_STATES = {
    "all": tuple(State),
    "pending": _PENDING,
    "delivered": (State.DELIVERED,),
    "failed": (State.FAILED,),
    "cancelled": (State.CANCELED, State.CANCEL_REQUESTED),
}
Query = dict[str, str]


@dataclass(frozen=True, slots=True)
class View:
    """A template and what it is filled with."""

    template: str
    values: dict[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    """One delivery, with what was sent and what came back as the page may show it."""

    number: int
    attempt: Attempt
    sent: Headers
    answer: str
    next_delivery: float | None


def messages(account: Account, query: Query) -> View:
    """The newest messages, of one state or all, whose URL, id or label contains what is searched."""
    state = query.get("state", "all")
    states, search = _STATES.get(state, _STATES["all"]), query.get("search", "").strip()
    found = account.courier.store.newest(
        _SHOWN, lambda message: message.state in states and _contains(message, search)
    )
    return View(
        "messages",
        {"messages": found, "state": state, "states": list(_STATES), "search": search, "most": _SHOWN},
    )


def message(account: Account, message_id: str, _query: Query) -> View:
    """One message, with its attempts."""
    found = account.courier.store.known(message_id)
    if found is None:
        return View("gone", {"what": "message"}, status=404)
    events = account.courier.store.events_of(found)
    return View(
        "message",
        {
            "message": found,
            "headers": shown_headers(found.options),
            "body": hashed(found.body) if found.options.redaction.body else _text(found.body),
            "events": events,
            "attempts": _attempts(found, events),
            "letter": next(
                (
                    letter
                    for letter in account.courier.store.dead_letters()
                    if letter.message.id == message_id
                ),
                None,
            ),
        },
    )


def dead_letters(account: Account, _query: Query) -> View:
    """The newest dead letters."""
    found = account.courier.store.dead_letters()
    known = account.courier.store.known
    return View(
        "dead_letters",
        {
            "found": found[: -_SHOWN - 1 : -1],
            "total": len(found),
            "texts": {letter.dlq_id: _text(letter.attempt.body) for letter in found[-_SHOWN:]},
            "known": {letter.message.id for letter in found[-_SHOWN:] if known(letter.message.id)},
        },
    )


def schedules(account: Account, _query: Query) -> View:
    """All schedules."""
    return View("schedules", {"schedules": account.schedules.all()})


def queues(account: Account, _query: Query) -> View:
    """All queues, and how many messages each holds."""
    lag: dict[str | None, int] = {}
    for each in account.courier.store.live.values():
        lag[each.queue] = lag.get(each.queue, 0) + 1
    return View("queues", {"queues": account.courier.queues.all(), "lag": lag})


def flow_control(account: Account, _query: Query) -> View:
    """All flow control keys."""
    return View("flow_control", {"gates": account.courier.flow.gates()})


def url_groups(account: Account, _query: Query) -> View:
    """All URL groups."""
    return View("url_groups", {"groups": account.groups.all()})


def _contains(message: Message, search: str) -> bool:
    return not search or any(search in text for text in (message.url, message.id, *message.options.labels))


def _attempts(message: Message, events: list[Event]) -> list[ShownAttempt]:
    ended = [
        event
        for event in events
        if event.attempt is not None and event.state in (State.ERROR, State.DELIVERED)
    ]
    return [
        ShownAttempt(
            number,
            event.attempt,
            message.options.redaction.redact_headers(event.attempt.sent),
            _text(event.attempt.body),
            event.next_delivery,
        )
        for number, event in enumerate(ended)
        if event.attempt is not None
    ]


def _text(data: bytes) -> str:
    """The data as the page shows it: text, or that it is none, and not too much of it."""
    try:
        text = data[: _SHOWN_BODY * 4].decode()
    except UnicodeDecodeError as error:
        if error.end < len(data[: _SHOWN_BODY * 4]):
            return f"{len(data)} bytes that are no text: {data[:200].hex(' ')}"
        text = data[: error.start].decode()
    return text if len(text) <= _SHOWN_BODY else f"{text[:_SHOWN_BODY]}… ({len(data)} bytes in all)"
