"""One account's messages, in memory, with bounds: they, their events, dead letters and deduplication ids."""

import hashlib
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from heapq import nlargest
from itertools import chain, takewhile
from typing import TypeVar

from .ids import new_id
from .journal import AccountJournal, Journal
from .plans import Plan
from .records import Attempt, DeadLetter, Event, Message, State, milliseconds

DEDUPLICATION_WINDOW = 600.0
MOST_FINISHED = 20_000
MOST_EVENTS = 100_000
MOST_EVENT_BYTES = 256 * 2**20  # of the answers that they hold
MOST_DEAD_LETTERS = 20_000

# A delivered message can be read for this long; the live service removes it "shortly after".
READABLE_AFTER_DELIVERY = 60.0

_Record = TypeVar("_Record", Message, DeadLetter)


class Store:
    """The messages of one account and what became of them; changes go to the journal, too.

    All times come from `clock`, in seconds since 1970.
    """

    def __init__(
        self, clock: Callable[[], float], plan: Plan | None = None, journal: AccountJournal | None = None
    ) -> None:
        self._clock = clock
        self._plan = plan or Plan()
        self._journal = journal or AccountJournal(Journal(), "")
        self.live: dict[str, Message] = {}
        self._finished: dict[str, Message] = {}
        self._events: deque[Event] = deque()
        self._event_bytes = 0
        self._dead_letters: dict[str, DeadLetter] = {}
        self._deduplication: dict[str, tuple[float, str]] = {}
        self._last_id = (0, -1)
        self._published = (0, 0)

    def add(self, message: Message) -> None:
        """Take in a new message."""
        self.live[message.id] = message
        self._journal.put("message", message.id, message)
        self.record(message, State.CREATED)

    def take_back(self, message: Message) -> None:
        """Forget the message that was added last, as if it had never come."""
        self.live.pop(message.id, None)
        self._journal.drop("message", message.id)
        self._journal.drop("progress", message.id)
        while self._events and self._events[-1].message is message:
            self._drop_event(self._events.pop())

    def record(
        self,
        message: Message,
        state: State,
        attempt: Attempt | None = None,
        next_delivery: float | None = None,
    ) -> None:
        """Move the message to `state` and log it."""
        message.state = state
        event = Event(self._next_id(), message, state, attempt, next_delivery)
        self._events.append(event)
        self._event_bytes += event.size
        self._journal.put("event", event.event_id, event)
        self._journal.put("progress", message.id, message)
        self._drop_oldest_events()

    def finish(self, message: Message, state: State, attempt: Attempt | None = None) -> None:
        """End the message's life in `state`; it stays known until 20,000 others have finished."""
        self.record(message, state, attempt)
        message.finished_at = self._clock()
        self.live.pop(message.id, None)
        self._finished[message.id] = message
        for message_id in _drop_oldest(self._finished, MOST_FINISHED):
            self._journal.drop("message", message_id)
            self._journal.drop("progress", message_id)

    def bury(self, message: Message, attempt: Attempt) -> DeadLetter:
        """Make a dead letter of the message."""
        letter = DeadLetter(self._next_id(), message, attempt)
        self._dead_letters[letter.dlq_id] = letter
        self._journal.put("letter", letter.dlq_id, letter)
        for dlq_id in _drop_oldest(self._dead_letters, MOST_DEAD_LETTERS):
            self._journal.drop("letter", dlq_id)
        return letter

    def known(self, message_id: str) -> Message | None:
        """The message, finished or not; None if it never was or is forgotten."""
        return self.live.get(message_id) or self._finished.get(message_id)

    def newest(self, count: int, wanted: Callable[[Message], bool]) -> list[Message]:
        """The newest known messages of those that are wanted, newest first."""
        known = chain(self.live.values(), self._finished.values())
        return nlargest(count, filter(wanted, known), key=lambda message: message.created_at)

    def readable(self, message_id: str) -> Message | None:
        """The message as the API shows it: not finished, or delivered within the last minute."""
        message = self.known(message_id)
        if message is None or message.finished_at is None:
            return message
        fresh = self._clock() - message.finished_at < READABLE_AFTER_DELIVERY
        return message if fresh and message.state is State.DELIVERED else None

    def events(self) -> Iterator[Event]:
        """All remembered events, newest first."""
        oldest = self._oldest(self._plan.log_retention)
        return takewhile(lambda event: event.time >= oldest, reversed(self._events))

    def events_of(self, message: Message) -> list[Event]:
        """The remembered events of one message, oldest first."""
        return [event for event in self._events if event.message is message]

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters that the plan keeps, oldest first."""
        oldest = self._oldest(self._plan.dead_letter_retention)
        for letter in list(self._dead_letters.values()):
            if letter.id[0] >= oldest:
                break
            self.drop_dead_letter(letter.dlq_id)
        return list(self._dead_letters.values())

    def dead_letter(self, dlq_id: str) -> DeadLetter | None:
        """The dead letter of that id."""
        return self._dead_letters.get(dlq_id)

    def drop_dead_letter(self, dlq_id: str) -> bool:
        """Delete a dead letter; whether there was one."""
        self._journal.drop("letter", dlq_id)
        letter = self._dead_letters.pop(dlq_id, None)
        if letter is not None:
            self._journal.otherwise(partial(self._put_back, letter))
        return letter is not None

    def duplicate_of(self, key: str) -> str | None:
        """The id of what was accepted under this deduplication key in the last ten minutes."""
        self._forget_old_keys()
        entry = self._deduplication.get(key)
        return entry[1] if entry else None

    def remember_key(self, key: str, accepted_id: str) -> None:
        """Start the ten minutes in which `key` is a duplicate."""
        self._deduplication.pop(key, None)
        self._deduplication[key] = (self._clock() + DEDUPLICATION_WINDOW, accepted_id)
        self._journal.put("key", key, self._deduplication[key])
        self._journal.otherwise(partial(self._forget_key, key))

    def count_published(self, now: float, count: int) -> None:
        """Count messages that were published at `now`, of which a plan may allow only so many a day."""
        self._journal.otherwise(partial(self._set_published, self._published))
        self._set_published((int(now) // 86_400, self.published_today(now) + count))

    def published_today(self, now: float) -> int:
        """How many messages were published on the day of `now`, in UTC."""
        day, count = self._published
        return count if day == int(now) // 86_400 else 0

    def restore(
        self,
        messages: Iterable[Message],
        events: Iterable[Event],
        letters: Iterable[DeadLetter],
        keys: Mapping[str, tuple[float, str]],
        published: tuple[int, int],
    ) -> None:
        """Take in the state of an earlier run, each list oldest first."""
        for message in messages:
            (self._finished if message.finished else self.live)[message.id] = message
        self._events.extend(events)
        self._event_bytes = sum(event.size for event in self._events)
        self._dead_letters.update((letter.dlq_id, letter) for letter in letters)
        self._deduplication.update(sorted(keys.items(), key=lambda item: item[1][0]))
        self._published = published
        known = [event.id for event in self._events] + [letter.id for letter in self._dead_letters.values()]
        self._last_id = max(known, default=self._last_id)

    def _drop_oldest_events(self) -> None:
        while len(self._events) > MOST_EVENTS or (
            len(self._events) > 1 and self._event_bytes > MOST_EVENT_BYTES
        ):
            self._drop_event(self._events.popleft())

    def _drop_event(self, event: Event) -> None:
        self._event_bytes -= event.size
        self._journal.drop("event", event.event_id)

    def _set_published(self, published: tuple[int, int]) -> None:
        self._published = published
        self._journal.put("daily", "", published)

    def _put_back(self, letter: DeadLetter) -> None:
        self._dead_letters[letter.dlq_id] = letter
        self._dead_letters = dict(sorted(self._dead_letters.items(), key=lambda item: item[1].id))
        self._journal.put("letter", letter.dlq_id, letter)

    def _forget_key(self, key: str) -> None:
        self._deduplication.pop(key, None)
        self._journal.drop("key", key)

    def _forget_old_keys(self) -> None:
        # Insertion order is expiry order, since the window is the same for all.
        now = self._clock()
        while self._deduplication:
            key, (expiry, _) = next(iter(self._deduplication.items()))
            if expiry > now:
                return
            self._forget_key(key)

    def _oldest(self, retention: float | None) -> float:
        return -math.inf if retention is None else milliseconds(self._clock() - retention)

    def _next_id(self) -> tuple[int, int]:
        # A clock that is set back must not bring back ids: cursors rely on their order.
        moment = max(milliseconds(self._clock()), self._last_id[0])
        number = self._last_id[1] + 1 if moment == self._last_id[0] else 0
        self._last_id = (moment, number)
        return self._last_id


def new_message_id() -> str:
    """A fresh `msg_…`."""
    return new_id("msg", 32)


def content_key(message: Message) -> str:
    """What content-based deduplication compares: destination, body, content type and forwarded headers."""
    digest = hashlib.sha256()
    for part in (message.url.encode(), message.body, repr(sorted(message.options.headers.items())).encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return f"content:{digest.hexdigest()}"


def _drop_oldest(records: dict[str, _Record], limit: int) -> list[str]:
    dropped = []
    while len(records) > limit:
        oldest = next(iter(records))
        del records[oldest]
        dropped.append(oldest)
    return dropped
