"""Messages: read one, cancel one, some or all."""

from infra.local.qstash.api.calls import Call, Reply, string_list
from infra.local.qstash.errors import Refused
from infra.local.qstash.records import Message, milliseconds
from infra.local.qstash.wire.filters import OF_ANY_LIST, Filters, parse_filters
from infra.local.qstash.wire.shapes import message_json

_FILTERS = OF_ANY_LIST | {"host", "path"}
_MOST_CANCELLED_AT_ONCE = 500


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
    """`DELETE /v2/messages`: the listed, the filtered, or with neither (or an empty list) all of them."""
    chosen = _chosen(call)
    for message in chosen:
        call.account.courier.cancel(message)
    return Reply(202, {"cancelled": len(chosen)})


def _chosen(call: Call) -> list[Message]:
    filters = parse_filters(call.query, _FILTERS)
    if filters.count is not None and filters.count > _MOST_CANCELLED_AT_ONCE:
        raise Refused(400, f"invalid count: at most {_MOST_CANCELLED_AT_ONCE}")
    ids = string_list(call, "messageIds") or filters.values.get("messageId")
    if ids:
        filters = Filters({"messageId": frozenset(ids)}, count=filters.count)
    live = call.account.courier.store.live.values()
    chosen = [message for message in live if filters.match(message, milliseconds(message.created_at))]
    return chosen[: filters.count]


def _not_found(call: Call) -> Refused:
    return Refused(404, f"message {ascii(call.argument)[1:-1]} not found")
