"""Bulk actions: what was done to many messages at once, for whoever asks later."""

from collections.abc import Callable
from dataclasses import dataclass

from .ids import new_id
from .journal import AccountJournal

MOST_ACTIONS = 100


@dataclass(frozen=True, slots=True)
class BulkAction:
    """One action, done at a time in seconds since 1970. `filter` is what it was asked with."""

    id: str
    kind: str
    total: int
    created_at: float
    filter: dict[str, list[str]]


class BulkActions:
    """The last hundred actions of one account. Here they are finished when they are accepted."""

    def __init__(self, clock: Callable[[], float], journal: AccountJournal) -> None:
        self._clock = clock
        self._journal = journal
        self._actions: dict[str, BulkAction] = {}

    def note(self, kind: str, total: int, given: dict[str, list[str]]) -> BulkAction:
        """Remember what has just been done."""
        action = BulkAction(new_id("act"), kind, total, self._clock(), given)
        self.add(action)
        self._journal.put("action", action.id, action)
        while len(self._actions) > MOST_ACTIONS:
            oldest = next(iter(self._actions))
            del self._actions[oldest]
            self._journal.drop("action", oldest)
        return action

    def add(self, action: BulkAction) -> None:
        """Take in an action from an earlier run."""
        self._actions[action.id] = action

    def get(self, action_id: str) -> BulkAction | None:
        """The action of that id."""
        return self._actions.get(action_id)

    def all(self) -> list[BulkAction]:
        """All that are remembered, newest first."""
        return list(reversed(self._actions.values()))
