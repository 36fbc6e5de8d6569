"""One account's state, in memory, with bounds: messages, deduplication ids, events and dead letters."""

import hashlib
import secrets
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeVar

from infra.local.qstash.records import Attempt, DeadLetter, Event, Message, State, milliseconds

DEDUPLICATION_WINDOW = 600.0
MOST_FINISHED = 20_000
MOST_EVENTS = 100_000
MOST_DEAD_LETTERS = 20_000

# A delivered message can be read for this long; the live service removes it "shortly after".
READABLE_AFTER_DELIVERY = 60.0

_Record = TypeVar("_Record", Message, DeadLetter)


class Store:
    """Everything one account owns. All times come from `clock`, in seconds since 1970."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.live: dict[str, Message] = {}
        self._finished: dict[str, Message] = {}
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._dead_letters: dict[str, DeadLetter] = {}
        self._deduplication: dict[str, tuple[float, str]] = {}
        self._last_id = (0, -1)

    def add(self, message: Message) -> None:
        """Take in a new message."""
        self.live[message.id] = message
        self.record(message, State.CREATED)

    def record(
        self,
        message: Message,
        state: State,
        attempt: Attempt | None = None,
        next_delivery: float | None = None,
    ) -> None:
        """Move the message to `state` and log it."""
        message.state = state
        self._events.append(Event(self._next_id(), message, state, attempt, next_delivery))

    def finish(self, message: Message, state: State, attempt: Attempt | None = None) -> None:
        """End the message's life in `state`; it stays known until 20,000 others have finished."""
        self.record(message, state, attempt)
        message.finished_at = self._clock()
        self.live.pop(message.id, None)
        self._finished[message.id] = message
        _drop_oldest(self._finished, MOST_FINISHED)

    def bury(self, message: Message, attempt: Attempt) -> DeadLetter:
        """Make a dead letter of the message."""
        letter = DeadLetter(self._next_id(), message, attempt)
        self._dead_letters[letter.dlq_id] = letter
        _drop_oldest(self._dead_letters, MOST_DEAD_LETTERS)
        return letter

    def known(self, message_id: str) -> Message | None:
        """The message, finished or not; None if it never was or is forgotten."""
        return self.live.get(message_id) or self._finished.get(message_id)

    def readable(self, message_id: str) -> Message | None:
        """The message as the API shows it: not finished, or delivered within the last minute."""
        message = self.known(message_id)
        if message is None or message.finished_at is None:
            return message
        fresh = self._clock() - message.finished_at < READABLE_AFTER_DELIVERY
        return message if fresh and message.state is State.DELIVERED else None

    def events(self) -> Iterator[Event]:
        """All remembered events, newest first."""
        return reversed(self._events)

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters, oldest first."""
        return list(self._dead_letters.values())

    def dead_letter(self, dlq_id: str) -> DeadLetter | None:
        """The dead letter of that id."""
        return self._dead_letters.get(dlq_id)

    def drop_dead_letter(self, dlq_id: str) -> bool:
        """Delete a dead letter; whether there was one."""
        return self._dead_letters.pop(dlq_id, None) is not None

    def duplicate_of(self, key: str) -> str | None:
        """The id of what was accepted under this deduplication key in the last ten minutes."""
        self._forget_old_keys()
        entry = self._deduplication.get(key)
        return entry[1] if entry else None

    def remember_key(self, key: str, accepted_id: str) -> None:
        """Start the ten minutes in which `key` is a duplicate."""
        self._deduplication.pop(key, None)
        self._deduplication[key] = (self._clock() + DEDUPLICATION_WINDOW, accepted_id)

    def _forget_old_keys(self) -> None:
        # Insertion order is expiry order, since the window is the same for all.
        now = self._clock()
        while self._deduplication:
            key, (expiry, _) = next(iter(self._deduplication.items()))
            if expiry > now:
                return
            del self._deduplication[key]

    def _next_id(self) -> tuple[int, int]:
        # A clock that is set back must not bring back ids: cursors rely on their order.
        moment = max(milliseconds(self._clock()), self._last_id[0])
        number = self._last_id[1] + 1 if moment == self._last_id[0] else 0
        self._last_id = (moment, number)
        return self._last_id


def new_message_id() -> str:
    """A fresh `msg_…`."""
    return f"msg_{secrets.token_hex(16)}"


def content_key(message: Message) -> str:
    """What content-based deduplication compares: destination, body, content type and forwarded headers."""
    digest = hashlib.sha256()
    for part in (message.url.encode(), message.body, repr(sorted(message.options.headers.items())).encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return f"content:{digest.hexdigest()}"


def _drop_oldest(records: dict[str, _Record], limit: int) -> None:
    while len(records) > limit:
        del records[next(iter(records))]
