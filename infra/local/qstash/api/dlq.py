"""Dead letters: read, delete and retry, one or many."""

from ..errors import Refused
from ..records import DeadLetter
from ..wire.filters import OF_ANY_LIST, Filters, parse_filters
from ..wire.shapes import dead_letter_json
from .calls import Call, Reply, string_list

_FILTERS = OF_ANY_LIST | {"dlqId", "responseStatus"}
_PAGE = 100


def list_dead_letters(call: Call) -> Reply:
    """`GET /v2/dlq`: oldest first, at most 100 a page; no cursor on the last page."""
    page, cursor = _page(call, parse_filters(call.query, _FILTERS))
    return Reply(200, {"messages": [dead_letter_json(letter) for letter in page]} | _cursor_json(cursor))


def get_dead_letter(call: Call) -> Reply:
    """`GET /v2/dlq/{id}`."""
    return Reply(200, dead_letter_json(_one(call)))


def delete_dead_letter(call: Call) -> Reply:
    """`DELETE /v2/dlq/{id}`."""
    call.account.courier.store.drop_dead_letter(_one(call).dlq_id)
    return Reply(200)


def delete_dead_letters(call: Call) -> Reply:
    """`DELETE /v2/dlq`: the listed or the filtered, at most 100 filtered ones a call."""
    chosen, cursor = _chosen(call)
    for letter in chosen:
        call.account.courier.store.drop_dead_letter(letter.dlq_id)
    return Reply(200, {"deleted": len(chosen)} | _cursor_json(cursor))


def retry_dead_letter(call: Call) -> Reply:
    """`POST /v2/dlq/retry/{id}`: publishes it anew and drops the dead letter."""
    return Reply(201, {"messageId": _retry(call, _one(call))})


def retry_dead_letters(call: Call) -> Reply:
    """`POST /v2/dlq/retry`: the listed or the filtered, at most 100 filtered ones a call; the cursor may be empty."""
    chosen, cursor = _chosen(call)
    responses = [{"messageId": _retry(call, letter)} for letter in chosen]
    return Reply(201, {"cursor": cursor or "", "responses": responses})


def _one(call: Call) -> DeadLetter:
    letter = call.account.courier.store.dead_letter(call.argument)
    if letter is None:
        raise Refused(404, f"dead letter {ascii(call.argument)[1:-1]} not found")
    return letter


def _retry(call: Call, letter: DeadLetter) -> str:
    receipt = call.account.intake.replay(letter.message, call.headers)
    call.account.courier.store.drop_dead_letter(letter.dlq_id)
    return receipt.message_id


def _chosen(call: Call) -> tuple[list[DeadLetter], str | None]:
    filters = parse_filters(call.query, _FILTERS)
    ids = string_list(call, "dlqIds")
    if ids is None:
        ids = list(filters.values.get("dlqId", ())) or None
    if ids is None:
        return _page(call, filters)
    found = (call.account.courier.store.dead_letter(dlq_id) for dlq_id in dict.fromkeys(ids))
    return [letter for letter in found if letter is not None], None


def _page(call: Call, filters: Filters) -> tuple[list[DeadLetter], str | None]:
    after = filters.cursor or (-1, -1)
    matching = [letter for letter in call.account.courier.store.dead_letters() if _match(filters, letter)]
    rest = [letter for letter in matching if letter.id > after]
    size = min(filters.count or _PAGE, _PAGE)
    return rest[:size], rest[size - 1].dlq_id if len(rest) > size else None


def _match(filters: Filters, letter: DeadLetter) -> bool:
    more = {"dlqId": letter.dlq_id, "responseStatus": str(letter.attempt.status)}
    return filters.match(letter.message, letter.id[0], more)


def _cursor_json(cursor: str | None) -> dict[str, object]:
    return {"cursor": cursor} if cursor else {}
