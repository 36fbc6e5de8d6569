"""What is known of an attempt as it goes on; the steps of a delivery pass it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from shared.alarm import Alarm
from shared.envelope import Delivery, Payload
from shared.failures import Failure, describe, outline
from shared.job import Job
from shared.registry import JobConfig
from shared.rows import ClaimedJob

P = TypeVar("P", bound=Payload)


@dataclass(slots=True)
class State(Generic[P]):
    """One attempt: what it was given, its claim once that is known, and the job while its handler runs."""

    delivery: Delivery
    config: JobConfig
    payload: type[P]
    handler: Callable[[Job[P]], Any]
    alarm: Alarm
    id: UUID = field(default_factory=uuid4)  # by which the claim is known again
    claimed: ClaimedJob | None = None
    job: Job[P] | None = None
    hurried: bool = False  # timed out: nothing is done but what must be

    @property
    def is_sensitive(self) -> bool:
        """By its type, or by its row: the type may be marked, or no longer, in newer code than this."""
        sealed = self.claimed is not None and self.claimed.payload_key is not None
        return sealed or self.config.sensitive

    def failure(self, error: BaseException) -> Failure:
        """An exception as the failure it is recorded as: a sensitive job's without what it says."""
        return outline(error) if self.is_sensitive else describe(error)

    def known_claim(self) -> ClaimedJob:
        """The claim; there is one wherever something is written."""
        assert self.claimed is not None  # noqa: S101  # nothing is written before the claim
        return self.claimed
