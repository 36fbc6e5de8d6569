"""Accepts what is published: checks it whole, then looks for a duplicate, then takes it in."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from .delivery.courier import Courier
from .errors import DailyLimitReached, Refused, check_quota
from .plans import Plan
from .records import Message, Place
from .store import content_key, new_message_id
from .url_groups import Endpoint, UrlGroups
from .wire.destinations import check_destination
from .wire.headers import Headers
from .wire.names import is_name
from .wire.options import Options, check_not_before, parse_options

_DAY = 86_400
_DEDUPLICATION = ("Upstash-Deduplication-Id", "Upstash-Content-Based-Deduplication")
_TIMES = ("Upstash-Delay", "Upstash-Not-Before")


@dataclass(frozen=True, slots=True)
class Order:
    """What someone asks to publish. `destination` is a URL or the name of a URL group."""

    destination: str
    headers: Headers
    body: bytes
    caller_ip: str
    queue: str | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """The messages of an order, not yet taken in: for a group one for each endpoint."""

    messages: tuple[Message, ...]
    is_group: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the publisher gets to know."""

    message_id: str
    url: str
    deduplicated: bool


class Intake:
    """The way in for one account's messages."""

    def __init__(self, courier: Courier, groups: UrlGroups, plan: Plan, clock: Callable[[], float]) -> None:
        self._courier = courier
        self._groups = groups
        self._plan = plan
        self._clock = clock
        self._last: tuple[Headers, Options] | None = None

    def draft(self, order: Order) -> Draft:
        """The messages that this order asks for. Raises Refused: 404 for the name of no group."""
        check_quota("maxMessageSize", len(order.body), self._plan.max_message_size)
        if not is_name(order.destination):
            url = check_destination(order.destination)
            return Draft((self._message(order, Endpoint(url)),), is_group=False)
        group = self._groups.get(order.destination)
        if group is None:
            raise Refused(404, f"url group {order.destination} not found")
        order = replace(order, headers=group.headers | order.headers)
        messages = tuple(self._message(order, endpoint, group.name) for endpoint in group.endpoints)
        return Draft(messages, is_group=True)

    def template(self, order: Order) -> Message:
        """The message that stands for an order which is carried out later, again and again. Raises Refused."""
        draft = self.draft(order)
        if draft.is_group and draft.messages:
            return replace(draft.messages[0], url=order.destination, endpoint=None)
        if not draft.messages:
            return self._message(order, Endpoint(order.destination), order.destination)
        return draft.messages[0]

    def check_room(self, count: int) -> None:
        """Raise DailyLimitReached unless so many more messages may be published today."""
        limit = self._plan.max_messages_per_day
        now = self._clock()
        if limit is not None and self._courier.store.published_today(now) + count > limit:
            raise DailyLimitReached(limit, (int(now) // _DAY + 1) * _DAY)

    def accept(self, draft: Draft) -> list[Receipt]:
        """Take in the draft's messages, but for those that repeat another of the last ten minutes."""
        self._courier.store.count_published(self._clock(), len(draft.messages))
        return [self._accept(message) for message in draft.messages]

    def replay(self, message: Message, changes: Headers) -> Receipt:
        """Publish a failed message anew, at once, with those `Upstash-*` headers that `changes` names."""
        given = without(message.options.given, _TIMES + _DEDUPLICATION)
        given |= {name: values for name, values in changes.items() if name.startswith("Upstash-")}
        order = Order(message.url, given, message.body, message.caller_ip, message.queue)
        again = self._message(order, Endpoint(message.url, message.endpoint), message.topic)
        again.schedule_id = message.schedule_id
        return self._accept(again)

    def fire(self, template: Message) -> Draft:
        """The messages of a template, now. Raises Refused if there is no such URL group any more."""
        given = without(template.options.given, _DEDUPLICATION)
        order = Order(template.url, given, template.body, template.caller_ip, template.queue)
        draft = self.draft(order)
        for message in draft.messages:
            message.schedule_id = template.schedule_id
        return draft

    def _message(self, order: Order, endpoint: Endpoint, topic: str | None = None) -> Message:
        options = self._parse(order.headers)
        now = self._clock()
        if options.not_before is not None:
            check_not_before(options.not_before, now, self._plan)
        not_before = now + options.delay if options.not_before is None else options.not_before
        message_id = new_message_id()
        return Message(
            message_id, endpoint.url, order.body, options, order.caller_ip, created_at=now,
            not_before=max(now, not_before), topic=topic, endpoint=endpoint.name, queue=order.queue,
            place=None if order.queue is None else Place(order.queue, message_id),
        )  # fmt: skip

    def _parse(self, headers: Headers) -> Options:
        # Those of one batch, or one burst, are mostly the same.
        if self._last is None or self._last[0] != headers:
            self._last = headers, parse_options(headers, self._plan)
        return self._last[1]

    def _accept(self, message: Message) -> Receipt:
        key = deduplication_key(message)
        earlier = None if key is None else self._courier.store.duplicate_of(key)
        if earlier is not None:
            return Receipt(earlier, message.url, deduplicated=True)
        if message.queue is not None:
            self._courier.queues.ensure(message.queue)
        if key is not None:
            self._courier.store.remember_key(key, message.id)
        self._courier.accept(message)
        return Receipt(message.id, message.url, deduplicated=False)


def without(headers: Headers, names: tuple[str, ...]) -> Headers:
    """The headers but for those."""
    return {name: values for name, values in headers.items() if name not in names}


def deduplication_key(message: Message) -> str | None:
    """What a repetition of this message has in common with it; None where repetitions are welcome."""
    if message.options.deduplication_id is not None:
        key = f"id:{message.options.deduplication_id}"
        # Each endpoint of a group gets its own.
        return key if message.topic is None else f"{key} to {message.topic} {message.url}"
    return content_key(message) if message.options.content_based_deduplication else None
