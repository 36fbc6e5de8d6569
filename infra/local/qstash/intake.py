"""Accepts what is published: checks it whole, then looks for a duplicate, then takes it in."""

from collections.abc import Callable
from dataclasses import dataclass

from infra.local.qstash.delivery.courier import Courier
from infra.local.qstash.records import Message
from infra.local.qstash.store import content_key, new_message_id
from infra.local.qstash.wire.destinations import check_destination
from infra.local.qstash.wire.headers import Headers
from infra.local.qstash.wire.options import Quotas, check_not_before, parse_options

# A replay is due at once and is no duplicate of what it replays.
_NOT_REPLAYED = (
    "Upstash-Delay",
    "Upstash-Not-Before",
    "Upstash-Deduplication-Id",
    "Upstash-Content-Based-Deduplication",
)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the publisher gets to know."""

    message_id: str
    deduplicated: bool


class Intake:
    """The way in for one account's messages."""

    def __init__(self, courier: Courier, quotas: Quotas, clock: Callable[[], float]) -> None:
        self._courier = courier
        self._quotas = quotas
        self._clock = clock

    def draft(self, destination: str, headers: Headers, body: bytes, caller_ip: str) -> Message:
        """The message that these headers ask for, not yet taken in. Raises Refused."""
        url = check_destination(destination)
        options = parse_options(headers, self._quotas)
        now = self._clock()
        if options.not_before is not None:
            check_not_before(options.not_before, now, self._quotas)
        not_before = now + options.delay if options.not_before is None else options.not_before
        return Message(
            new_message_id(), url, body, options, caller_ip, created_at=now, not_before=max(now, not_before)
        )

    def accept(self, draft: Message) -> Receipt:
        """Take in the draft, unless it repeats another of the last ten minutes."""
        key = deduplication_key(draft)
        if key is None:
            self._courier.accept(draft)
            return Receipt(draft.id, deduplicated=False)
        earlier = self._courier.store.duplicate_of(key)
        if earlier is not None:
            return Receipt(earlier, deduplicated=True)
        self._courier.store.remember_key(key, draft.id)
        self._courier.accept(draft)
        return Receipt(draft.id, deduplicated=False)

    def replay(self, message: Message, changes: Headers) -> Receipt:
        """Publish a failed message anew, at once, with those `Upstash-*` headers that `changes` names."""
        given = {name: values for name, values in message.options.given.items() if name not in _NOT_REPLAYED}
        given |= {name: values for name, values in changes.items() if name.startswith("Upstash-")}
        draft = self.draft(message.url, given, message.body, message.caller_ip)
        draft.schedule_id = message.schedule_id
        return self.accept(draft)


def deduplication_key(message: Message) -> str | None:
    """What a repetition of this message has in common with it; None where repetitions are welcome."""
    if message.options.deduplication_id is not None:
        return f"id:{message.options.deduplication_id}"
    return content_key(message) if message.options.content_based_deduplication else None
