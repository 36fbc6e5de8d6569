"""How long jobs waited for something to go on with them, read from their histories, and for what reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.chaos.jobs import TIMEOUT

BOUND = TIMEOUT + 90.0  # seconds: what the contract promises after a crash
CRASHES = {
    "accepted",
    "attempt lost",
    "replayed",
}  # waits that a crash makes; after any other QStash tries again
_FIRST_SWEEP = 15.0  # seconds before which no sweep cares: a lease, or what its producer has to publish a job
_ENDED = {"completed", "failed", "cancelled"}
Reason = Literal["accepted", "attempt lost", "attempt ended", "replayed"]


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a job; times are Postgres's, in seconds since 1970."""

    at: float
    status: str
    run: int
    attempt: int
    errors: int = 0
    error_type: str | None = None
    not_before: float | None = None
    published: bool = False


@dataclass(slots=True)
class Wait:
    """From when nobody was at work on a job until the next attempt began, or it ended.

    One for a lost attempt begins with that attempt, for nobody but its process knows when it was lost. One of an
    accepted or replayed job is over when QStash has it, for then it only waits for its turn. `given_back` has the times
    at which QStash was found to have given the job's message up.
    """

    reason: Reason
    begin: float
    end: float = 0.0
    given_back: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sweep:
    """One run of reconcile. `hurt_until`: the end of the last fault that it met, None where it met none."""

    begin: float
    end: float
    hurt_until: float | None = None


def waits(steps: Sequence[Step]) -> Iterator[Wait]:
    """A job's waits that are over, in their order."""
    waiting: Wait | None = None
    before: Step | None = None
    began = 0.0
    for step in steps:
        running = before is not None and before.status == "processing"
        lost = running and _gained(before, step, "AttemptLost")
        begins = step.status == "processing" and (before is None or step.attempt > before.attempt)
        if lost:
            waiting = Wait("attempt lost", began)
        elif before is None:
            waiting = Wait("accepted", max(step.at, step.not_before or 0.0))
        elif step.run > before.run:
            waiting = Wait("replayed", step.at)
        elif running and step.status == "retrying":
            waiting = Wait("attempt ended", step.at)
        elif waiting is not None and _gained(before, step, "DeliveryFailed"):
            waiting.given_back.append(step.at)
        published = step.published and waiting is not None and waiting.reason in {"accepted", "replayed"}
        if waiting is not None and (begins or published or step.status in _ENDED):
            waiting.end = max(step.at, waiting.begin)
            yield waiting
            waiting = None
        began = step.at if begins else began
        before = step


def _gained(before: Step | None, step: Step, error_type: str) -> bool:
    known = 0 if before is None else before.errors
    return step.errors > known and step.error_type == error_type


def healed_in(wait: Wait, sweeps: Sequence[Sweep]) -> float:
    """Seconds of a wait, counted from the last fault that hit the healing itself, where one did.

    Such faults are: a delivery that QStash gave up, and whatever a sweep met that could have helped.
    """
    first = wait.begin if wait.reason == "attempt ended" else wait.begin + _FIRST_SWEEP
    hits = [
        sweep.hurt_until
        for sweep in sweeps
        if sweep.hurt_until is not None and sweep.end >= first and sweep.hurt_until < wait.end
    ]
    return wait.end - max([wait.begin, *wait.given_back, *hits])
