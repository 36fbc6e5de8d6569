"""Messages: read one, cancel one, some or all."""

from ..errors import Refused
from ..records import Message, milliseconds
from ..wire.filters import OF_ANY_LIST, Pairs, parse_filters
from ..wire.shapes import message_json
from .calls import Call, Reply, string_list

_FILTERS = OF_ANY_LIST | {"host", "path"}
_LARGEST_COUNT = 500


def get_message(call: Call) -> Reply:
    """`GET /v2/messages/{id}`: 404 once it has failed, was cancelled, or was delivered a minute ago."""
    message = call.account.courier.store.readable(call.argument)
    if message is None:
        raise _not_found(call)
    return Reply(200, message_json(message))


def cancel_message(call: Call) -> Reply:
    """`DELETE /v2/messages/{id}`."""
    message = call.account.courier.store.live.get(call.argument)
    if message is None:
        raise _not_found(call)
    call.account.courier.cancel(message)
    return Reply(202, {"cancelled": 1})


def cancel_messages(call: Call) -> Reply:
    """`DELETE /v2/messages`: the listed, the filtered, or with neither (or an empty list) all of them.

    What was chosen by filters is noted as a bulk action, whose id is told where `async=true`.
    """
    query = [(name, value) for name, value in call.query if name != "async"]
    chosen, by_filter = _chosen(call, query)
    for message in chosen:
        call.account.courier.cancel(message)
    answer: dict[str, object] = {"cancelled": len(chosen)}
    if by_filter:
        action = call.account.actions.note("cancel", len(chosen), _grouped(query))
        if ("async", "true") in call.query:
            answer["actionId"] = action.id
    return Reply(202, answer)


def _chosen(call: Call, query: Pairs) -> tuple[list[Message], bool]:
    filters = parse_filters(query, _FILTERS)
    if filters.count is not None and filters.count > _LARGEST_COUNT:
        raise Refused(400, f"invalid count: at most {_LARGEST_COUNT}")
    ids = string_list(call, "messageIds") or filters.values.get("messageId")
    live = call.account.courier.store.live
    if ids:
        return [live[message_id] for message_id in dict.fromkeys(ids) if message_id in live], False
    # The count is checked and then ignored, as in production: all that match are cancelled in one call.
    return [
        message for message in live.values() if filters.match(message, milliseconds(message.created_at))
    ], True


def _grouped(query: Pairs) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for name, value in query:
        given.setdefault(name, []).append(value)
    return given


def _not_found(call: Call) -> Refused:
    return Refused(404, f"message {ascii(call.argument)[1:-1]} not found")
