"""Publish and batch."""

from dataclasses import dataclass

from infra.local.qstash.api.calls import Call, Reply
from infra.local.qstash.errors import QuotaExceeded, Refused
from infra.local.qstash.intake import Receipt
from infra.local.qstash.records import Message
from infra.local.qstash.wire.headers import Headers, collect, is_header


@dataclass(frozen=True, slots=True)
class _Item:
    destination: str
    headers: Headers
    body: bytes


def publish(call: Call) -> Reply:
    """`POST /v2/publish/{destination}`: 200, or 202 for a duplicate."""
    draft = call.account.intake.draft(call.argument, call.headers, call.body, call.caller_ip)
    receipt = call.account.intake.accept(draft)
    return Reply(202 if receipt.deduplicated else 200, _receipt_json(receipt))


def publish_batch(call: Call) -> Reply:
    """`POST /v2/batch`: one entry per item, in order.

    A bad item gets an error for its entry and the others are sent; an item beyond a quota, or a body that is no
    list of items, refuses all.
    """
    body = call.json_body()
    if not isinstance(body, list):
        raise Refused(400, "the body must be a list of messages")
    items = [_parse_item(item) for item in body]
    drafts = [_draft(call, item) for item in items]
    return Reply(200, [_accept(call, draft) for draft in drafts])


def _draft(call: Call, item: _Item) -> Message | Refused:
    try:
        return call.account.intake.draft(item.destination, item.headers, item.body, call.caller_ip)
    except QuotaExceeded:
        raise
    except Refused as refusal:
        return refusal


def _accept(call: Call, draft: Message | Refused) -> dict[str, object]:
    if isinstance(draft, Refused):
        return {"error": draft.text}
    return _receipt_json(call.account.intake.accept(draft))


def _receipt_json(receipt: Receipt) -> dict[str, object]:
    answer: dict[str, object] = {"messageId": receipt.message_id}
    return answer | {"deduplicated": True} if receipt.deduplicated else answer


def _parse_item(item: object) -> _Item:
    if not isinstance(item, dict) or not isinstance(item.get("destination"), str):
        raise Refused(400, "each message of a batch must be an object with a destination")
    if item.get("queue"):
        raise Refused(501, "this server has no queues yet")
    body = item.get("body")
    if body is not None and not isinstance(body, str):
        raise Refused(400, "the body of a message in a batch must be a string")
    # JSON can hold halves of surrogate pairs, which no encoding of text can.
    return _Item(
        item["destination"], _parse_headers(item.get("headers")), (body or "").encode(errors="replace")
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
