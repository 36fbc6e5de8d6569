"""What the server remembers: messages, schedules, attempts, events and dead letters."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from .cron import Cron
from .wire.headers import Headers, first
from .wire.options import Options


class State(StrEnum):
    """Where a message is in its life, as the logs spell it."""

    CREATED = "CREATED"
    ACTIVE = "ACTIVE"
    RETRY = "RETRY"
    ERROR = "ERROR"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCELED = "CANCELED"


class Place(NamedTuple):
    """A message's place in a queue, which it and all its callbacks take up until the last of them is over."""

    queue: str
    message_id: str


@dataclass(slots=True, eq=False)
class Message:
    """One message. Times are in seconds since 1970; `retried` counts the retries that have begun."""

    id: str
    url: str
    body: bytes
    options: Options
    caller_ip: str
    created_at: float
    not_before: float
    is_callback: bool = False
    schedule_id: str | None = None
    topic: str | None = None
    endpoint: str | None = None
    queue: str | None = None
    place: "Place | None" = None
    state: State = State.CREATED
    retried: int = 0
    due: float = field(default=0.0)
    finished_at: float | None = None
    in_place: bool = False
    """Whether its turn in the queue has come: it is under way, or waits for a retry."""

    def __post_init__(self) -> None:
        self.due = self.not_before

    @property
    def finished(self) -> bool:
        """Whether nothing more will be sent."""
        return self.finished_at is not None


@dataclass(slots=True, eq=False)
class Schedule:
    """A message to be created again and again: `template` is never sent itself. Times are in seconds since 1970."""

    cron: Cron
    template: Message
    next_at: float | None = None
    last_at: float | None = None
    last_messages: tuple[Message, ...] = ()
    error: str | None = None

    @property
    def id(self) -> str:
        """The schedule's id, which its messages carry."""
        return self.template.schedule_id or ""

    @property
    def paused(self) -> bool:
        """Whether it has no next time."""
        return self.next_at is None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one delivery, which began at a time in seconds since 1970 and took so many `seconds`.

    `status` is 0 where no response came, and then `error` says why.
    """

    status: int
    headers: Headers = field(default_factory=dict)
    body: bytes = b""
    error: str | None = None
    sent: Headers = field(default_factory=dict)
    """The headers that the destination was sent."""
    began: float = 0.0
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """Whether the destination answered with a 2xx."""
        return 200 <= self.status < 300

    @property
    def forbids_retry(self) -> bool:
        """Whether the destination said that a retry would not help."""
        header = first(self.headers, "Upstash-Nonretryable-Error") or ""
        return self.status == 489 and header.lower() == "true"

    @property
    def explanation(self) -> str:
        """Why the attempt failed, in a sentence."""
        return self.error or f"the destination answered with status {self.status}"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log. `id` is `(milliseconds since 1970, number)` and orders all events."""

    id: tuple[int, int]
    message: Message
    state: State
    attempt: Attempt | None = None
    next_delivery: float | None = None

    @property
    def time(self) -> int:
        """Milliseconds since 1970."""
        return self.id[0]

    @property
    def size(self) -> int:
        """Bytes of the answer that it holds."""
        return len(self.attempt.body) if self.attempt else 0

    @property
    def event_id(self) -> str:
        """The id as a cursor spells it, such as `1725323658779-0`."""
        return f"{self.id[0]}-{self.id[1]}"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that failed for good, with its last attempt. `id` is `(milliseconds since 1970, number)`."""

    id: tuple[int, int]
    message: Message
    attempt: Attempt

    @property
    def dlq_id(self) -> str:
        """The id as the API spells it, such as `1725323658779-0`."""
        return f"{self.id[0]}-{self.id[1]}"


def milliseconds(seconds: float) -> int:
    """Whole milliseconds."""
    return int(seconds * 1000)
