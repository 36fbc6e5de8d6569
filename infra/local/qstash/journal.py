"""What is written down for a restart. By default nothing is; `disk` writes to a file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal[
    "action", "clock", "daily", "event", "gate", "group", "key", "keys", "letter", "message", "progress", "queue", "schedule",
]  # fmt: skip


class Journal:
    """Takes note of changes and forgets them at once."""

    def put(self, user: str, kind: Kind, record_id: str, record: object) -> None:
        """Keep `record` as it will be at the next commit, in place of any of that kind and id."""

    def drop(self, user: str, kind: Kind, record_id: str) -> None:
        """Keep no record of that kind and id."""

    def otherwise(self, undo: Callable[[], None]) -> None:
        """How to take back a change that has just been made, should it not be written."""

    @contextmanager
    def written_or_taken_back(self) -> Iterator[None]:
        """Commit after the block, or take back what it changed, as far as it said how. It must not await."""
        yield

    def clear(self) -> None:
        """Keep nothing of what was written down so far."""

    def commit(self) -> None:
        """Write down all changes since the last commit, or none of them."""

    def close(self) -> None:
        """Commit, and write no more."""


class AccountJournal:
    """The part of a journal that belongs to one user."""

    def __init__(self, journal: Journal, user: str) -> None:
        self._journal = journal
        self._user = user

    def put(self, kind: Kind, record_id: str, record: object) -> None:
        """Keep `record` as it will be at the next commit."""
        self._journal.put(self._user, kind, record_id, record)

    def drop(self, kind: Kind, record_id: str) -> None:
        """Keep no record of that kind and id."""
        self._journal.drop(self._user, kind, record_id)

    def otherwise(self, undo: Callable[[], None]) -> None:
        """How to take back a change that has just been made, should it not be written."""
        self._journal.otherwise(undo)
