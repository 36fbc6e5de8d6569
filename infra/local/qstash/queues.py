"""Queues: first in, first out; the next one goes when all of the one before it is over, its callbacks too."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from .errors import check_quota
from .journal import AccountJournal
from .plans import Plan
from .records import Message, Place


@dataclass(slots=True)
class Queue:
    """One queue. Times are in seconds since 1970; `taken` counts what is not over, by the id of who has the place."""

    name: str
    created_at: float
    updated_at: float
    parallelism: int = 1
    paused: bool = False
    waiting: deque[Message] = field(default_factory=deque)
    taken: dict[str, int] = field(default_factory=dict)

    @property
    def has_room(self) -> bool:
        """Whether the next one may go."""
        return not self.paused and len(self.taken) < self.parallelism


class Queues:
    """The queues of one account. `start` is called for each message whose turn has come."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        plan: Plan,
        journal: AccountJournal,
        start: Callable[[Message], None],
    ) -> None:
        self._clock = clock
        self._plan = plan
        self._journal = journal
        self._start = start
        self._queues: dict[str, Queue] = {}

    def get(self, name: str) -> Queue | None:
        """The queue of that name."""
        return self._queues.get(name)

    def all(self) -> list[Queue]:
        """All queues, oldest first."""
        return list(self._queues.values())

    def ensure(self, name: str) -> Queue:
        """The queue of that name, made if need be. Raises QuotaExceeded."""
        if name not in self._queues:
            check_quota("maxQueues", len(self._queues) + 1, self._plan.max_queues)
            self._journal.otherwise(partial(self._take_back, name))
        return self._get_or_make(name)

    def configure(self, name: str, *, parallelism: int, paused: bool) -> None:
        """Make a queue, or change one. Raises QuotaExceeded."""
        check_quota("maxQueueParallelism", parallelism, self._plan.max_queue_parallelism)
        queue = self.ensure(name)
        queue.parallelism, queue.paused = parallelism, paused
        self._changed(queue)

    def pause(self, queue: Queue, paused: bool) -> None:
        """Let nothing new out of it, or let it go on. What is under way ends, with its retries."""
        queue.paused = paused
        self._changed(queue)

    def delete(self, queue: Queue) -> list[Message]:
        """Delete it; those who waited in it, for whoever ends them."""
        del self._queues[queue.name]
        self._journal.drop("queue", queue.name)
        return [message for message in queue.waiting if not message.finished]

    def _take_back(self, name: str) -> None:
        del self._queues[name]
        self._journal.drop("queue", name)

    def enter(self, message: Message) -> None:
        """Start the message now if it has its place already, else when its turn comes."""
        if message.in_place or message.queue is None:
            self._start(message)
            return
        # Its queue may have been deleted while it was delayed.
        queue = self._get_or_make(message.queue)
        queue.waiting.append(message)
        self._let_through(queue)

    def hold(self, place: Place | None) -> None:
        """One more, a callback, is not over before the place is free."""
        queue = None if place is None else self._queues.get(place.queue)
        if queue is not None and place is not None and place.message_id in queue.taken:
            queue.taken[place.message_id] += 1

    def over(self, place: Place | None) -> None:
        """One of those who take up the place is over."""
        queue = None if place is None else self._queues.get(place.queue)
        if queue is None or place is None or place.message_id not in queue.taken:
            return
        queue.taken[place.message_id] -= 1
        if not queue.taken[place.message_id]:
            del queue.taken[place.message_id]
            self._let_through(queue)

    def add(self, queue: Queue) -> None:
        """Take in a queue from an earlier run."""
        self._queues[queue.name] = queue

    def _retake(self, message: Message) -> None:
        queue = None if message.place is None else self._queues.get(message.place.queue)
        if queue is not None and message.place is not None and (message.in_place or message.is_callback):
            root = message.place.message_id
            queue.taken[root] = queue.taken.get(root, 0) + 1

    def reset(self, live: Iterable[Message]) -> None:
        """Forget who waits, for all of the `live` will enter again; those that have their place keep it."""
        for queue in self._queues.values():
            queue.waiting.clear()
            queue.taken.clear()
        for message in live:
            self._retake(message)

    def _get_or_make(self, name: str) -> Queue:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = Queue(name, self._clock(), self._clock())
            self._save(queue)
        return queue

    def _changed(self, queue: Queue) -> None:
        queue.updated_at = self._clock()
        self._save(queue)
        self._let_through(queue)

    def _let_through(self, queue: Queue) -> None:
        while queue.waiting and queue.has_room:
            message = queue.waiting.popleft()
            if not message.finished:
                message.in_place = True
                queue.taken[message.id] = 1
                self._journal.put("progress", message.id, message)
                self._start(message)

    def _save(self, queue: Queue) -> None:
        self._journal.put("queue", queue.name, queue)
