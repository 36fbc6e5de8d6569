"""The log."""

from collections.abc import Iterator
from itertools import islice

from ..errors import Refused
from ..records import Event, State
from ..wire.filters import OF_ANY_LIST, Pairs, parse_filters
from ..wire.shapes import event_json
from .calls import Call, Reply

_FILTERS = OF_ANY_LIST | {"host", "path", "state"}
_PAGE = 1000
_STATES = {state.value: (state.value,) for state in State} | {
    "IN_PROGRESS": (State.ACTIVE.value, State.RETRY.value, State.ERROR.value)
}


def list_events(call: Call) -> Reply:
    """`GET /v2/events` and `GET /v2/logs`: newest first, at most 1000 a page; no cursor on the last page."""
    matching = _matching(call)
    size = _size(call)
    page = list(islice(matching, size))
    events = [event_json(event) for event in page]
    answer: dict[str, object] = {"events": events, "logs": events}
    if next(matching, None) is not None:
        answer["cursor"] = f"{page[-1].id[0]}-{page[-1].id[1]}"
    return Reply(200, answer)


def _matching(call: Call) -> Iterator[Event]:
    filters = parse_filters(_spell_out_states(call.query), _FILTERS, strict=False)
    return (
        event
        for event in call.account.courier.store.events()
        if (filters.cursor is None or event.id < filters.cursor)
        and filters.match(event.message, event.time, {"state": event.state.value})
    )


def _size(call: Call) -> int:
    return min(parse_filters(call.query, (), strict=False).count or _PAGE, _PAGE)


def _spell_out_states(query: Pairs) -> Pairs:
    others = [(name, value) for name, value in query if name != "state"]
    asked = [state for name, value in query if name == "state" for state in value.split(",")]
    for state in asked:
        if state not in _STATES:
            raise Refused(400, f"invalid state: {state!a}")
    return others + [("state", spelled) for state in asked for spelled in _STATES[state]]
