"""What producers have been told, and others in their place: the other half of what the database is compared with."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from tests.chaos.wishes import Errand, Wish, by_tag

Step = Literal[
    "accepted", "rolled back", "cancelling", "cancelled", "too late to cancel", "replaying", "replayed"
]


@dataclass(slots=True)
class Promises:
    """What one run's producers want and know. A tag that was never answered may have been accepted or not."""

    errands: list[Errand] = field(default_factory=list)
    wishes: dict[str, Wish] = field(default_factory=dict)
    accepted: dict[str, UUID] = field(default_factory=dict)
    steps: dict[Step, Counter[str]] = field(default_factory=dict)
    fired: dict[str, list[str]] = field(default_factory=dict)  # by a schedule's tag, its messages
    broken: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def expect(self, errands: list[Errand]) -> None:
        """These will be asked for."""
        with self._lock:
            self.errands = [*self.errands, *errands]
            self.wishes = self.wishes | by_tag(errands)

    def tell(self, step: Step, tag: str, job_id: UUID | None = None) -> None:
        """Take note of a producer's word."""
        with self._lock:
            self.steps.setdefault(step, Counter())[tag] += 1
            if step == "accepted" and job_id is not None:
                known = self.accepted.setdefault(tag, job_id)
                if known != job_id:
                    self.broken.append(f"{tag}: one idempotency key, two jobs: {known} and {job_id}")

    def count(self, step: Step, tag: str) -> int:
        """How often this was said of the tag."""
        return self.steps.get(step, Counter())[tag]
