"""Publish, enqueue and batch."""

from dataclasses import dataclass

from ..errors import QuotaExceeded, Refused
from ..intake import Draft, Order, Receipt
from ..wire.headers import Headers, collect, is_header
from ..wire.names import check_name
from .calls import Call, Reply


@dataclass(frozen=True, slots=True)
class _Item:
    destination: str
    headers: Headers
    body: bytes
    queue: str | None


def publish(call: Call) -> Reply:
    """`POST /v2/publish/{destination}`: 200, or 202 for a duplicate."""
    return _publish(call, call.argument, None)


def enqueue(call: Call) -> Reply:
    """`POST /v2/enqueue/{queue}/{destination}`: as publish; a queue that is not there is made."""
    queue, slash, destination = call.argument.partition("/")
    if not slash:
        raise Refused(400, "invalid destination url: it is missing after the queue's name")
    return _publish(call, destination, check_name(queue, "queue name"))


def publish_batch(call: Call) -> Reply:
    """`POST /v2/batch`: one entry per item, in order; for a URL group a list of entries.

    A bad item gets an error for its entry and the others are sent; an item beyond a quota, or a body that is no
    list of items, refuses all.
    """
    body = call.json_body()
    if not isinstance(body, list):
        raise Refused(400, "the body must be a list of messages")
    items = [_parse_item(item) for item in body]
    drafts = [_draft(call, item) for item in items]
    call.account.intake.check_room(sum(len(draft.messages) for draft in drafts if isinstance(draft, Draft)))
    return Reply(200, [_accept(call, draft) for draft in drafts])


def _publish(call: Call, destination: str, queue: str | None) -> Reply:
    order = Order(destination, call.headers, call.body, call.caller_ip, queue)
    draft = call.account.intake.draft(order)
    call.account.intake.check_room(len(draft.messages))
    receipts = call.account.intake.accept(draft)
    repeated = bool(receipts) and all(receipt.deduplicated for receipt in receipts)
    return Reply(202 if repeated else 200, _receipts_json(draft, receipts))


def _draft(call: Call, item: _Item) -> Draft | Refused:
    try:
        queue = None if item.queue is None else check_name(item.queue, "queue name")
        return call.account.intake.draft(
            Order(item.destination, item.headers, item.body, call.caller_ip, queue)
        )
    except QuotaExceeded:
        raise
    except Refused as refusal:
        return refusal


def _accept(call: Call, draft: Draft | Refused) -> object:
    if isinstance(draft, Refused):
        return {"error": draft.text}
    try:
        return _receipts_json(draft, call.account.intake.accept(draft))
    except QuotaExceeded as refusal:  # one queue too many, which only the item before it has made so
        return {"error": refusal.text}


def _receipts_json(draft: Draft, receipts: list[Receipt]) -> object:
    entries = [_receipt_json(receipt) for receipt in receipts]
    if draft.is_group:
        return [entry | {"url": receipt.url} for entry, receipt in zip(entries, receipts, strict=True)]
    return entries[0]


def _receipt_json(receipt: Receipt) -> dict[str, object]:
    answer: dict[str, object] = {"messageId": receipt.message_id}
    return answer | {"deduplicated": True} if receipt.deduplicated else answer


def _parse_item(item: object) -> _Item:
    if not isinstance(item, dict) or not isinstance(item.get("destination"), str):
        raise Refused(400, "each message of a batch must be an object with a destination")
    queue = item.get("queue") or None
    if queue is not None and not isinstance(queue, str):
        raise Refused(400, "the queue of a message in a batch must be a string")
    body = item.get("body")
    if body is not None and not isinstance(body, str):
        raise Refused(400, "the body of a message in a batch must be a string")
    # JSON can hold halves of surrogate pairs, which no encoding of text can.
    return _Item(
        item["destination"], _parse_headers(item.get("headers")), (body or "").encode(errors="replace"), queue
    )


def _parse_headers(headers: object) -> Headers:
    if headers is None:
        return {}
    if not isinstance(headers, dict):
        raise Refused(400, "the headers of a message in a batch must be an object")
    for name, value in headers.items():
        if not isinstance(value, str) or not is_header(name, value):
            raise Refused(400, f"invalid header {name!a} of a message in a batch")
    return collect(headers.items())
