"""The filters of the lists: OR between the values of one name, AND between names."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from yarl import URL

from ..errors import Refused
from ..records import Message

Pairs = list[tuple[str, str]]

_ALIASES = {"messageIds": "messageId", "dlqIds": "dlqId", "callerIP": "callerIp"}
_LIMITS = ("fromDate", "toDate", "count", "cursor")
_CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")

OF_ANY_LIST = frozenset({
    "messageId", "url", "topicName", "scheduleId", "queueName", "callerIp", "label", "flowControlKey",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is asked for. Dates are in milliseconds since 1970, inclusive."""

    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    from_date: int | None = None
    to_date: int | None = None
    count: int | None = None
    cursor: tuple[int, int] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether everything is asked for."""
        return not self.values and self.from_date is None and self.to_date is None

    def match(self, message: Message, time: int, more: Mapping[str, str] | None = None) -> bool:
        """Whether the message, of that time in milliseconds and with `more` fields, is asked for."""
        if not (self.from_date or 0) <= time or (self.to_date is not None and time > self.to_date):
            return False
        return all(
            not accepted.isdisjoint(_fields(message, name, more or {}))
            for name, accepted in self.values.items()
        )


def parse_filters(pairs: Pairs, allowed: Iterable[str], *, strict: bool = True) -> Filters:
    """The filters in query parameters; `allowed` are the names that can be filtered by.

    Raises Refused (400) for a malformed value and, where `strict`, for an unknown name.
    """
    values: dict[str, set[str]] = {}
    limits: dict[str, str] = {}
    for given_name, value in pairs:
        name = _ALIASES.get(given_name, given_name)
        if name in _LIMITS:
            limits[name] = value
        elif name in allowed:
            # A URL may contain a comma, so the whole counts beside its parts.
            values.setdefault(name, set()).update({value, *value.split(",")})
        elif strict:
            raise Refused(400, f"unknown filter {given_name!a}")
    return Filters(
        {name: frozenset(accepted) for name, accepted in values.items()},
        from_date=_integer(limits, "fromDate"),
        to_date=_integer(limits, "toDate"),
        count=_count(limits),
        cursor=_cursor(limits.get("cursor")),
    )


def _fields(message: Message, name: str, more: Mapping[str, str]) -> tuple[str, ...]:
    if name in more:
        return (more[name],)
    return _FIELDS[name](message)


def _one(value: str | None) -> tuple[str, ...]:
    return () if value is None else (value,)


def _flow_keys(message: Message) -> tuple[str, ...]:
    return (message.options.flow.key,) if message.options.flow else ()


_FIELDS: dict[str, Callable[[Message], tuple[str, ...]]] = {
    "messageId": lambda message: (message.id,),
    "url": lambda message: (message.url,),
    "host": lambda message: (URL(message.url, encoded=True).host or "",),
    "path": lambda message: (URL(message.url, encoded=True).raw_path,),
    "label": lambda message: message.options.labels,
    "flowControlKey": _flow_keys,
    "scheduleId": lambda message: _one(message.schedule_id),
    "topicName": lambda message: _one(message.topic),
    "queueName": lambda message: _one(message.queue),
    "callerIp": lambda message: (message.caller_ip,),
}


def _integer(limits: dict[str, str], name: str) -> int | None:
    text = limits.get(name, "")
    if text and not re.fullmatch("[0-9]{1,18}", text):
        raise Refused(400, f"invalid {name}: {text!a}")
    return int(text) if text else None


def _count(limits: dict[str, str]) -> int | None:
    count = _integer(limits, "count")
    if count == 0:
        raise Refused(400, "invalid count: it must be positive")
    return count


def _cursor(text: str | None) -> tuple[int, int] | None:
    if not text:
        return None
    match = _CURSOR.fullmatch(text)
    if match is None:
        raise Refused(400, f"invalid cursor: {text!a}")
    return int(match[1]), int(match[2])
